"""Failures of SQLite and PostgreSQL -> the failures that a client may see.

Law: only failures that the operator can correct or that pass by themselves are translated (a full disk, a
lock, a stopped server). Any other failure is an internal error and is raised unchanged. Log lines name the
failure and never a parameter.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import ApiError, StorageFull, StorageUnavailable, from_os

log = logging.getLogger(__name__)
SQLITE_STATES = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another process",
    sqlite3.SQLITE_PROTOCOL: "is locked by another process",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_NOTADB: "is damaged",
    sqlite3.SQLITE_NOMEM: "is out of memory",
}
"""Errors for clients, by SQLite's primary result code."""
POSTGRES_FULL = "53100"
POSTGRES_STATES = {
    "08": "cannot be reached",
    "25006": "cannot be written",
    "40": "is locked by another process",
    "53": "has no room for another connection",
    "55P03": "is locked by another process",
    "57": "is being stopped",
    "58": "cannot be read or written",
}
"""Errors for clients, by SQLSTATE or its class:
https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""


@contextmanager
def translated(level: int = logging.WARNING) -> Iterator[None]:
    """Raises `StorageFull` or `StorageUnavailable` for what a driver raises. `level`: of the log line."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as failure:
        error = api_error(failure)
        if error is None:
            raise
        log.log(level, "the database failed: %s", _summary(failure))
        raise error from failure


def api_error(failure: DBAPIError | PoolTimeout | OSError) -> ApiError | None:
    """The error for the client; None for an internal error."""
    if isinstance(failure, PoolTimeout):
        return StorageUnavailable("has no free connection")
    if isinstance(failure, OSError):
        full = from_os(failure)
        return full if isinstance(full, StorageFull) else StorageUnavailable()
    original = failure.orig
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original)
    return _of_postgres(getattr(original, "sqlstate", None), lost=_is_operational(failure))


def _of_sqlite(original: sqlite3.Error) -> ApiError | None:
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageFull()
    state = SQLITE_STATES.get(code)
    return StorageUnavailable(state) if state else None


def _of_postgres(state: str | None, *, lost: bool) -> ApiError | None:
    """The error for a failure of PostgreSQL. `lost`: the driver reports a lost connection; without an
    SQLSTATE the server never answered.
    """
    if state is None:
        return StorageUnavailable() if lost else None
    if state == POSTGRES_FULL:
        return StorageFull()
    told = POSTGRES_STATES.get(state) or POSTGRES_STATES.get(state[:2])
    return StorageUnavailable(told) if told else None


def _is_operational(failure: DBAPIError) -> bool:
    return failure.connection_invalidated or type(failure.orig).__name__ in (
        "OperationalError",
        "InterfaceError",
    )


def _summary(failure: BaseException) -> str:
    original = getattr(failure, "orig", None) or failure
    return f"{type(original).__name__}: {str(original).splitlines()[0] if str(original) else ''}"
