"""Locks the database as another process would, to test what requests do then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from app.store.database import prepared
from app.store.tables import Base


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """A transaction that holds every table until the end of the block.

    It is begun on a thread: the app may just be writing, and its transaction ends only while the loop runs.
    """
    engine = create_engine(prepared(url).replace("sqlite+aiosqlite", "sqlite"))
    with engine.connect() as connection:
        await asyncio.to_thread(_lock, connection)
        yield
        connection.rollback()
    engine.dispose()


def _lock(connection: Connection) -> None:
    if connection.engine.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    names = ", ".join(table.name for table in Base.metadata.sorted_tables)
    connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
