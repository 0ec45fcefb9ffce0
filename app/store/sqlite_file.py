"""Checks of the file of an SQLite database: whether it exists, whether it is still the same, and free disk
space.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy.engine import URL

SPARE_BYTES = 16 * 1024 * 1024
"""Free disk space that a write must leave: SQLite needs some for its write-ahead log."""


def sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL and for a database in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def is_database(file: Path) -> bool:
    """Checked by a new connection: an open one would not notice that its file was overwritten."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as fresh:
            fresh.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as wrong:
        return wrong.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB
    return True


def identity(file: Path) -> tuple[int, int] | None:
    """Device and inode; None for a file that is gone.

    The file is never opened here: closing it would drop every lock that SQLite holds on it in this process
    (POSIX locks belong to a process and a file), and the next command that closes the database would delete
    the write-ahead log from under the server.
    """
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def free_bytes(folder: Path) -> float:
    """Free bytes on the disk of a folder; infinite if the system does not report them."""
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return math.inf
