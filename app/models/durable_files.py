"""Files on disk: hashes, and writing so that a file is complete or absent.

Law: paths and bytes only; the callers know what a file is for.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

SETTLED_SECONDS = 2.0
"""A file that was changed less long ago may change again without another time."""
Stamp = tuple[int, int, int, int, int]
"""Device, inode, size and times of change of a file."""
_right_hashes: dict[Stamp, str] = {}
"""Hashes that `has_hash` found to be right. A start asks twice for those of all weights."""


def stamp_of(found: os.stat_result) -> Stamp | None:
    """What tells whether a file is as it was; None if it was changed so recently that its times do not."""
    if time.time() - max(found.st_mtime, found.st_ctime) < SETTLED_SECONDS:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def hash_of(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_hash(path: Path, sha256: str) -> bool:
    """Whether the bytes have this hash. A file that this process found right is not read again while its
    stamp is the same; one that it found wrong is read again.
    """
    with path.open("rb") as file:
        stamp = stamp_of(os.fstat(file.fileno()))
        if stamp and _right_hashes.get(stamp) == sha256:
            return True
        right = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    if right and stamp:
        _right_hashes[stamp] = sha256
    return right


def write_atomically(path: Path, data: bytes) -> None:
    """Writes all of the bytes or none of them, also if the power fails or another process writes too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        with beside.open("xb") as file:  # never an existing file, nor one behind a link
            file.write(data)
        move_durably(beside, path)
    finally:
        beside.unlink(missing_ok=True)


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
