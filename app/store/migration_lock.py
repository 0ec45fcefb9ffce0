"""A lock, so that only one migration runs at a time, however many servers start at once.

Law: the lock lives as long as its holder. A process that dies gives it back, and no clean-up is ever needed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, make_url

from app.store.connect import CONNECT_SECONDS
from app.store.database import DatabaseError, prepared
from app.store.sqlite_file import sqlite_file

ADVISORY_LOCK = 0x616E7469_70686F6E
"""Key of PostgreSQL's advisory lock: the letters of `antiphon`."""
WAIT_SECONDS = 300.0
"""Seconds that a process waits for the migration of another process."""
POLL_SECONDS = 0.2


@contextmanager
def migration_lock(url: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Held while the schema is changed. Raises `DatabaseError` if another process keeps it for too long."""
    parsed = make_url(prepared(url))
    file = sqlite_file(parsed)
    if file is not None:
        with _file_lock(file, wait_seconds):
            yield
    elif parsed.get_backend_name() == "postgresql":
        with _advisory_lock(url, wait_seconds):
            yield
    else:  # a database in memory belongs to this process alone
        yield


@contextmanager
def _file_lock(file: Path, wait_seconds: float) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(f"{file}.migration.lock")
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        raise _late(wait_seconds) from None
    except OSError as wrong:
        raise DatabaseError(f"The folder {file.parent} cannot be written: {wrong.strerror}.") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _advisory_lock(url: str, wait_seconds: float) -> Iterator[None]:
    """A session lock on a connection of its own: the migration's transaction begins and ends beside it.

    A transaction lock would not do: it would keep a snapshot open for as long as the migration runs.
    """
    engine = create_engine(
        prepared(url), isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": CONNECT_SECONDS}
    )
    try:
        with engine.connect() as connection:
            _acquire(connection, wait_seconds)
            yield  # closing the connection releases the lock
    finally:
        engine.dispose()


def _acquire(connection: Connection, wait_seconds: float) -> None:
    """Polls, since a blocking call would count as a long transaction for other tools on the database."""
    deadline = time.monotonic() + wait_seconds
    attempt = text("SELECT pg_try_advisory_lock(:key)")
    while not connection.scalar(attempt, {"key": ADVISORY_LOCK}):
        if time.monotonic() >= deadline:
            raise _late(wait_seconds)
        time.sleep(POLL_SECONDS)


def _late(wait_seconds: float) -> DatabaseError:
    return DatabaseError(
        f"Another process has been changing the database's schema for {wait_seconds:g} seconds. Wait for it, "
        "or end it, and start again."
    )
