"""Files on disk: hashes, and writing so that a file is complete or absent.

Law: paths and bytes only; the callers know what a file is for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path

SETTLED_SECONDS = 2.0
"""A file that was changed less long ago may change again without another time."""
HASH_BOOK_BYTES = 1 << 20
MOST_HASHES = 4000
"""The most hashes in a hash book. The oldest ones are left out."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_known_hashes: dict[tuple[int, ...], str] = {}
"""Hashes of files by device, inode, size and times. A start asks twice for those of all weights."""


def hash_of(path: Path) -> str:
    """SHA-256 in hexadecimal. A file that is as this process saw it before is not read again."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if seen not in _known_hashes:
            age = time.time() - max(found.st_mtime, found.st_ctime)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if age < SETTLED_SECONDS:
                return digest
            _known_hashes[seen] = digest
        return _known_hashes[seen]


def recall_hashes(book: Path) -> None:
    """Reads the hashes that an earlier process kept in `book`: `hash_of` does not read these files again
    unless they have changed since. A book that is absent or damaged is ignored.
    """
    with suppress(OSError, ValueError, TypeError, RecursionError):
        with book.open("rb") as file:
            rows = json.loads(file.read(HASH_BOOK_BYTES))
        for *seen, digest in rows:
            if len(seen) == 5 and all(type(one) is int for one in seen) and _SHA256.fullmatch(digest):
                _known_hashes.setdefault(tuple(seen), digest)


def keep_hashes(book: Path) -> None:
    """Writes the hashes that this process knows for `recall_hashes` of a later process. Does nothing if the
    book has them already, or if it cannot be written.
    """
    rows = [[*seen, digest] for seen, digest in list(_known_hashes.items())[-MOST_HASHES:]]
    data = json.dumps(rows).encode()
    with suppress(OSError):
        if rows and not (book.is_file() and book.read_bytes() == data):
            write_atomically(book, data)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes all of the bytes or none of them, also if the power fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(data)
    move_durably(beside, path)


def move_durably(source: Path, target: Path) -> None:
    """Renames a file after its bytes are on the disk (fsync), and makes the new name durable too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb+") as file:
        os.fsync(file.fileno())
    source.replace(target)
    with suppress(OSError):  # some systems do not let a folder be synced
        folder = os.open(target.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
