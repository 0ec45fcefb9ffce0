"""Files on disk: hashes, and writing so that a file is complete or absent.

Law: paths and bytes only; the callers know what a file is for.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path


def hash_of(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
