"""The connection to SQLite or PostgreSQL, and the state of its schema.

Law: one engine for the process, opened and closed by the container. Stores get sessions from `reading` and
`writing` alone, so that no driver's failure leaves this package untranslated.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.errors import ApiError, StorageFull, StorageUnavailable
from app.store.connect import open_engine
from app.store.faults import translated
from app.store.tables import HEAD

SPARE_BYTES = 16 * 1024 * 1024
"""Free disk space that a write must leave: SQLite needs some for its write-ahead log."""
TURN_SECONDS = 30.0
"""How long a write waits for the writes of this process that came before it."""
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
REPLACED = "The database file is no SQLite database: it was damaged or replaced."
URLS = "Only SQLite (`sqlite:///PATH`) and PostgreSQL (`postgresql://USER:PASSWORD@HOST/NAME`) can be used."


class DatabaseError(Exception):
    """The database cannot be used; the message says what to do."""


class _WriteTurn:
    """Writers of one process in their order.

    SQLite has one writer. It lets the others try again and again, in no order, until `BUSY_SECONDS` are over:
    a hundred requests that store something at once would tell some clients that another process has locked
    the database.
    """

    def __init__(self, *, alone: bool) -> None:
        self._lock = asyncio.Lock() if alone else None

    async def __aenter__(self) -> None:
        if self._lock is None:
            return
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._lock.acquire()
        except TimeoutError:
            raise StorageUnavailable("is busy") from None

    async def __aexit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()


class Database:
    """An open database."""

    def __init__(self, url: str) -> None:
        """Opens no connection yet. Raises `DatabaseError` for a URL that cannot be used."""
        try:
            self._engine = open_engine(prepared(url))
        except ModuleNotFoundError:
            raise DatabaseError(
                "The driver for PostgreSQL is not installed. Run `make install` in the checkout."
            ) from None
        self._file: tuple[int, int] | None = None
        """Identity of the SQLite file, once it was opened."""
        self._sessions = async_sessionmaker(self._engine, class_=AsyncSession, expire_on_commit=False)
        self._turn = _WriteTurn(alone=self._engine.dialect.name == "sqlite")
        writing = self._engine.execution_options(writing=True)
        self._writers = async_sessionmaker(writing, class_=AsyncSession, expire_on_commit=False)

    @asynccontextmanager
    async def reading(self, level: int = logging.WARNING) -> AsyncIterator[AsyncSession]:
        """A session that only reads. Raises `StorageUnavailable`. `level`: of the log line of a failure."""
        with translated(level):
            async with self._sessions() as session:
                yield session

    @asynccontextmanager
    async def writing(self, level: int = logging.WARNING) -> AsyncIterator[AsyncSession]:
        """One transaction that writes, committed at the end. Raises `StorageUnavailable` or `StorageFull`.

        SQLite: BEGIN IMMEDIATE, so that a writer waits up front instead of failing with SQLITE_BUSY when a
        read transaction upgrades. Writers of this process come one after the other. `level`: of the log
        line of a failure.
        """
        with translated(level):
            async with self._turn, self._writers.begin() as session:
                yield session

    async def check_room(self, size: int) -> None:
        """Checks, before expensive work, that `size` bytes of its result can be stored.

        Raises `StorageFull` or `StorageUnavailable` if that is already known to fail.
        """
        file = sqlite_file(self._engine.url)
        if file and await asyncio.to_thread(_free, file.parent) < size + SPARE_BYTES:
            raise StorageFull
        async with self.writing() as session:
            if self._engine.dialect.name == "postgresql":
                if await session.scalar(text("SHOW transaction_read_only")) == "on":
                    raise StorageUnavailable("cannot be written")
            else:  # the transaction has taken the write lock itself
                await session.execute(text("SELECT 1"))

    async def problem(self) -> str | None:
        """Why requests that need the database would fail now; None if nothing is known to be wrong."""
        file = sqlite_file(self._engine.url)
        if file and not await asyncio.to_thread(file.exists):
            return "The database file is gone. Run `antiphon db upgrade` and start again."
        if file and self._file not in (None, await asyncio.to_thread(_identity, file)):
            return REPLACED
        if file and not await asyncio.to_thread(_is_database, file):
            return REPLACED
        if file and await asyncio.to_thread(_free, file.parent) < SPARE_BYTES:
            return "The disk of the database is full."
        try:
            async with self.reading(logging.DEBUG) as session:
                await session.execute(text("SELECT version_num FROM alembic_version"))
        except ApiError as wrong:
            return wrong.message
        return None

    async def revision(self) -> str | None:
        """The schema's revision; None for an empty database. Creates no file. Raises `DatabaseError`."""
        file = sqlite_file(self._engine.url)
        if file and not file.exists():
            return None
        if file and self._file is None:
            self._file = await asyncio.to_thread(_identity, file)
        try:
            async with self._engine.connect() as connection:
                number = await connection.scalar(text("SELECT version_num FROM alembic_version"))
                return str(number) if number else None
        except DBAPIError as wrong:
            if "alembic_version" in str(wrong.orig):
                return None
            if getattr(wrong.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
                raise DatabaseError(REPLACED) from None
            raise DatabaseError("The database cannot be reached. Check `storage.database_url`.") from None
        except OSError:
            raise DatabaseError("The database cannot be reached. Check `storage.database_url`.") from None

    async def check(self) -> None:
        """Raises `DatabaseError` unless this version can use the schema.

        During a rolling upgrade a newer version has migrated the database while servers of this one still
        run and restart: they may, as long as nothing that they use was changed or removed.
        """
        revision = await self.revision()
        if revision != HEAD and (revision is None or not await self._is_readable()):
            state = "is empty" if revision is None else f"has revision {revision}, this version needs {HEAD}"
            raise DatabaseError(f"The database {state}. Run `antiphon db upgrade` and start again.")

    async def _is_readable(self) -> bool:
        async with self._engine.connect() as connection:
            return await connection.run_sync(readable)

    async def close(self) -> None:
        await self._engine.dispose()


def readable(connection: Connection) -> bool:
    """Whether code of revision `HEAD` can use the schema, as the last migration has noted it."""
    if not inspect(connection).has_table("schema_readers"):
        return False
    readers = set(connection.scalars(text("SELECT revision FROM schema_readers")))
    current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return {HEAD, current} <= readers


def prepared(url: str) -> str:
    """The URL with its async driver. Raises `DatabaseError` for anything but SQLite and PostgreSQL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseError(f"`storage.database_url` is no database URL. {URLS}") from None
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise DatabaseError(f"`storage.database_url` begins with `{parsed.drivername}://`. {URLS}")
    return parsed.set(drivername=driver).render_as_string(hide_password=False)


def sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL and for a database in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _is_database(file: Path) -> bool:
    """Checked by a new connection: an open one would not notice that its file was overwritten."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as fresh:
            fresh.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as wrong:
        return wrong.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB
    return True


def _identity(file: Path) -> tuple[int, int] | None:
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


def _free(folder: Path) -> float:
    """Bytes of disk space; infinite if the system cannot tell."""
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return math.inf
