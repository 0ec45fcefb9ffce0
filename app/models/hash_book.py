"""The hash book: a file that says which weights were right when they were read.

Law: a row is believed only if it is about the same file, with the same stamp and the hash that is expected;
in every other case the file is read. Only right hashes are written.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from app.models.durable_files import has_hash, hash_of, stamp_of, write_atomically

log = logging.getLogger(__name__)
MOST_BYTES = 4 << 20
MOST_ROWS = 4000
"""The most rows of a book. Those that were read longest ago are left out."""
LOCK_SECONDS = 10.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
HashRow = list[int | str]
"""Device, inode, size, times of change and SHA-256 of a file."""
HasHash = Callable[[Path, str], bool]


class HashBook:
    """Keeps the hashes of files for later processes, which do not read those again that have not changed."""

    def __init__(self, path: Path | None, folder: Path, *, believed: bool = True) -> None:
        """`path`: the book; None keeps nothing. `folder`: the folder of all weights. `believed`: False reads
        every file, and only writes what it found.
        """
        self._path, self._folder, self._believed = path, folder, believed

    @contextmanager
    def reading(self) -> Iterator[HasHash]:
        """Gives a function that tells whether a file has a hash. At the end the book is written."""
        if not self._path:
            yield has_hash
            return
        known = _rows(self._path)
        found: dict[str, HashRow | None] = {}

        def matches(path: Path, sha256: str) -> bool:
            name = path.relative_to(self._folder).as_posix()
            stamp = stamp_of(path.stat())
            row: HashRow | None = [*stamp, sha256] if stamp else None
            if self._believed and row and known.get(name) == row:
                return True
            right = hash_of(path) == sha256
            found[name] = row if right else None
            return right

        yield matches
        if any(known.get(name) != row for name, row in found.items()):
            _write(self._path, self._folder, found)


def _write(book: Path, folder: Path, found: dict[str, HashRow | None]) -> None:
    """Changes the rows of the files that were read, and leaves out those of files that are gone."""
    try:
        with FileLock(book.with_name(f".{book.name}.lock"), timeout=LOCK_SECONDS):
            before = _rows(book)
            rows = {**{name: row for name, row in before.items() if name not in found}, **found}
            here = [(name, row) for name, row in rows.items() if row and _exists(folder / name)]
            write_atomically(book, json.dumps(dict(here[-MOST_ROWS:])).encode())
    except (OSError, NotImplementedError) as wrong:  # raised where the file system has no locks
        log.debug("the hashes of weights could not be kept: %s", type(wrong).__name__)


def _exists(path: Path) -> bool:
    """False also for what cannot be a path; a damaged book may hold that."""
    with suppress(OSError, ValueError):
        return path.exists()
    return False


def _rows(book: Path) -> dict[str, HashRow]:
    """The rows of a book; none if it is absent or damaged."""
    with suppress(OSError, ValueError, RecursionError), book.open("rb") as file:
        rows = json.loads(file.read(MOST_BYTES))
        if isinstance(rows, dict):
            return {name: row for name, row in rows.items() if _is_row(row)}
    return {}


def _is_row(row: object) -> bool:
    return (
        isinstance(row, list)
        and len(row) == 6
        and all(type(one) is int for one in row[:5])
        and isinstance(row[5], str)
        and bool(_SHA256.fullmatch(row[5]))
    )
