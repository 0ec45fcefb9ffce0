"""Places that weights come from: a local folder, the model hub, an address (and `packages.py`).

Law: a mirror writes bytes to a path and nothing else; `fetch.py` decides whether they are the right ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from app.models.catalog import FileEntry, HubSource
from app.models.errors import MirrorError

BytesSoFar = Callable[[int], None]
"""A callback that gets the number of bytes of a file that have arrived."""
CHUNK_BYTES = 1 << 20
"""Bytes that are read and written at once."""
MOST_TRIES = 3
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""The most seconds in which a host may send nothing."""


class Mirror(Protocol):
    """One source of files."""

    name: str

    def offers(self, file: FileEntry) -> bool:
        """Whether this source may have the file."""
        ...

    def fetch(self, file: FileEntry, to: Path, report: BytesSoFar) -> None:
        """Writes the file to `to`, if possible after the bytes that are there. Raises `MirrorError`."""
        ...


def copy_bounded(source: Any, target: Any, limit: int, report: BytesSoFar | None = None) -> None:
    """Copies until `target` has `limit` bytes. Raises `MirrorError` if `source` has more."""
    while chunk := source.read(CHUNK_BYTES):
        if target.tell() + len(chunk) > limit:
            raise MirrorError("delivered more bytes than the file has")
        target.write(chunk)
        if report:
            report(target.tell())


class FolderMirror:
    """Copies from a folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.name = "local folder"
        self._folder = folder

    def offers(self, file: FileEntry) -> bool:
        return (self._folder / file.name).is_file()

    def fetch(self, file: FileEntry, to: Path, report: BytesSoFar) -> None:
        try:
            with (self._folder / file.name).open("rb") as source, to.open("wb") as target:
                copy_bounded(source, target, file.size, report)
        except OSError as wrong:
            raise MirrorError(str(wrong.strerror)) from None


class WebMirror:
    """Downloads over HTTP and resumes after an interruption. A host that cannot be reached is asked once."""

    def __init__(self, name: str, address: Callable[[FileEntry], str], token: str = "") -> None:
        """`token`: sent as a bearer token to the first host, never along a redirect to another."""
        self.name = name
        self._address = address
        self._token = token
        self._dead = ""

    def offers(self, file: FileEntry) -> bool:
        return bool(self._address(file))

    def fetch(self, file: FileEntry, to: Path, report: BytesSoFar) -> None:
        import httpx2

        for attempt in range(MOST_TRIES):
            if self._dead:
                raise MirrorError(self._dead)
            try:
                return self._download(self._address(file), file, to, report)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                self._dead = "cannot be reached"
            except httpx2.HTTPError as wrong:
                if attempt == MOST_TRIES - 1:
                    raise MirrorError(f"broke off ({type(wrong).__name__})") from None
                time.sleep(2**attempt)
        raise MirrorError(self._dead)

    def _download(self, url: str, file: FileEntry, to: Path, report: BytesSoFar) -> None:
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

    def _write(self, answer: Any, file: FileEntry, to: Path, report: BytesSoFar, have: int) -> None:
        with to.open("r+b" if have else "wb") as target:
            target.seek(have)
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                have += len(chunk)
                if have > file.size:
                    raise MirrorError("sent more bytes than the file has")
                target.write(chunk)
                report(have)


def hub_mirror(base: str, source: HubSource, token: str) -> WebMirror:
    """A mirror for the model hub, or for a copy of the hub with the same paths."""
    folder = f"/{source.path}" if source.path else ""
    root = f"{base.rstrip('/')}/{source.repo}/resolve/{source.revision}{folder}"
    return WebMirror("model hub", lambda file: f"{root}/{file.name}", token)


def url_mirror() -> WebMirror:
    """A mirror that downloads a file from the address in the catalogue."""
    return WebMirror("address in the catalogue", lambda file: file.url)
