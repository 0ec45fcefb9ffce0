"""Which revision the schema of a database has, and whether this version can use it.

Law: reads only; `migrations.py` changes the schema.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from app.store.database import REPLACED, Database, DatabaseError
from app.store.tables import HEAD


async def revision_of(database: Database) -> str | None:
    """The schema's revision; None for an empty database. Creates no file. Raises `DatabaseError`."""
    if not await database.exists():
        return None
    try:
        async with database.connection() as connection:
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


async def check_schema(database: Database) -> None:
    """Raises `DatabaseError` unless this version can use the schema.

    During a rolling upgrade a newer version has migrated the database while servers of this one still run and
    restart: they may, as long as nothing that they use was changed or removed.
    """
    revision = await revision_of(database)
    if revision != HEAD and (revision is None or not await _is_readable(database)):
        state = "is empty" if revision is None else f"has revision {revision}, this version needs {HEAD}"
        raise DatabaseError(f"The database {state}. Run `antiphon db upgrade` and start again.")


def readable(connection: Connection) -> bool:
    """Whether code of revision `HEAD` can use the schema, according to the note of the last migration."""
    if not inspect(connection).has_table("schema_readers"):
        return False
    readers = set(connection.scalars(text("SELECT revision FROM schema_readers")))
    current = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return {HEAD, current} <= readers


async def _is_readable(database: Database) -> bool:
    async with database.connection() as connection:
        return await connection.run_sync(readable)
