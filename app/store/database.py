"""The connection to SQLite or PostgreSQL, and the state of its schema.

Law: one engine for the process, opened and closed by the container.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from app.store.tables import HEAD

BUSY_MILLISECONDS = 10_000
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
URLS = "Only SQLite (`sqlite:///PATH`) and PostgreSQL (`postgresql://USER:PASSWORD@HOST/NAME`) can be used."


class DatabaseError(Exception):
    """The database cannot be used; the message says what to do."""


class Database:
    """An open database."""

    def __init__(self, url: str) -> None:
        """Opens nothing yet. Raises `DatabaseError` for a URL that cannot be used."""
        try:
            self._engine: AsyncEngine = create_async_engine(prepared(url))
        except ModuleNotFoundError:
            raise DatabaseError(
                "The driver for PostgreSQL is not installed. Run `make install` in the checkout."
            ) from None
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)
        self.session = async_sessionmaker(self._engine, class_=AsyncSession, expire_on_commit=False)
        writing = self._engine.execution_options(writing=True)
        self.writing = async_sessionmaker(writing, class_=AsyncSession, expire_on_commit=False)
        """For transactions that write: on SQLite they wait for their turn at the start, not in the middle."""

    async def revision(self) -> str | None:
        """The schema's revision; None for an empty database. Creates no file. Raises `DatabaseError`."""
        file = sqlite_file(self._engine.url)
        if file and not file.exists():
            return None
        try:
            async with self._engine.connect() as connection:
                found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
                return str(found) if found else None
        except DBAPIError as wrong:
            if "alembic_version" in str(wrong.orig):
                return None
            raise DatabaseError("The database cannot be reached. Check `storage.database_url`.") from None
        except OSError:
            raise DatabaseError("The database cannot be reached. Check `storage.database_url`.") from None

    async def check(self) -> None:
        """Raises `DatabaseError` unless the schema is the one that this version knows."""
        found = await self.revision()
        if found != HEAD:
            state = "is empty" if found is None else f"has revision {found}, this version needs {HEAD}"
            raise DatabaseError(f"The database {state}. Run `antiphon db upgrade` and start again.")

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


def sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL and for a database in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _begin_sqlite(connection: Any) -> None:
    # A transaction that begins by reading and then writes fails at once if another one wrote meanwhile.
    immediate = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MILLISECONDS}",
        "synchronous=NORMAL",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
