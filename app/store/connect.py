"""How connections to SQLite and PostgreSQL are opened, and how their transactions begin.

Law: settings of a connection only; no statement about the tables.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

BUSY_SECONDS = 5
"""Seconds that a statement waits for the lock of another process."""
BUSY_STEP_SECONDS = 0.02
"""Pause between two attempts to switch a database to its write-ahead log."""
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30


def open_engine(address: str) -> AsyncEngine:
    """A pool of connections; none is opened yet. `address`: a URL with its async driver."""
    # Failed statements are logged with their trace: it must not hold names, vectors or what somebody said.
    if make_url(address).get_backend_name() == "sqlite":
        engine = create_async_engine(address, hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    engine = create_async_engine(
        address,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=CONNECT_SECONDS,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    event.listen(engine.sync_engine, "begin", _begin_postgres)
    return engine


def _begin_postgres(connection: Any) -> None:
    # Set within the transaction, so that it also works behind a connection pooler.
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")


def _begin_sqlite(connection: Any) -> None:
    immediate = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins transactions instead
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout={int(1000 * BUSY_SECONDS)}")
        _use_write_ahead_log(cursor)
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=NORMAL")
    except Exception:
        connection.close()  # SQLAlchemy does not close it, and each connection has a thread
        raise
    cursor.close()


def _use_write_ahead_log(cursor: Any) -> None:
    """Switches the database to the write-ahead log. It waits for other processes itself, because SQLite does
    not.

    The switch to the write-ahead log needs the file alone, and so does the clean-up when a process closes its
    last connection; both answer SQLITE_BUSY at once, without regard to `busy_timeout`.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as wrong:
            if wrong.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        await_only(asyncio.sleep(BUSY_STEP_SECONDS))
