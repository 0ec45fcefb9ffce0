"""The connection to SQLite or PostgreSQL.

Law: one engine for the process, opened and closed by the container. Stores get sessions from `reading` and
`writing` alone, so that no driver's failure leaves this package untranslated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from app.errors import ApiError, StorageFull, StorageUnavailable
from app.store.connect import open_engine
from app.store.database_errors import translated
from app.store.sqlite_file import SPARE_BYTES, free_bytes, identity, is_database, sqlite_file
from app.store.write_turn import WriteTurn

DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
REPLACED = "The database file is no SQLite database: it was damaged or replaced."
URLS = "Only SQLite (`sqlite:///PATH`) and PostgreSQL (`postgresql://USER:PASSWORD@HOST/NAME`) can be used."


class DatabaseError(Exception):
    """The database cannot be used; the message says what to do."""


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
        """Device and inode of the SQLite file, once it was opened."""
        self._sessions = async_sessionmaker(self._engine, class_=AsyncSession, expire_on_commit=False)
        self._turn = WriteTurn(alone=self._engine.dialect.name == "sqlite")
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
        if file and await asyncio.to_thread(free_bytes, file.parent) < size + SPARE_BYTES:
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
        if file and self._file not in (None, await asyncio.to_thread(identity, file)):
            return REPLACED
        if file and not await asyncio.to_thread(is_database, file):
            return REPLACED
        if file and await asyncio.to_thread(free_bytes, file.parent) < SPARE_BYTES:
            return "The disk of the database is full."
        try:
            async with self.reading(logging.DEBUG) as session:
                await session.execute(text("SELECT version_num FROM alembic_version"))
        except ApiError as wrong:
            return wrong.message
        return None

    async def exists(self) -> bool:
        """Whether the database is there. `problem` tells from then on if an SQLite file is replaced."""
        file = sqlite_file(self._engine.url)
        if file and not file.exists():
            return False
        if file and self._file is None:
            self._file = await asyncio.to_thread(identity, file)
        return True

    def connection(self) -> AsyncConnection:
        """A connection for questions about the schema. Its failures are those of the driver."""
        return self._engine.connect()

    async def close(self) -> None:
        await self._engine.dispose()


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
