"""An INSERT that may say what happens on a conflict: each dialect of SQL has its own class for that.

Law: imports the dialect that is in use; PostgreSQL's takes 2 MB.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.tables import Base


def upsert(session: AsyncSession, row: type[Base]) -> Any:
    """An INSERT into the table of `row`, to which `on_conflict_do_update` can be added."""
    table = row.__table__
    assert isinstance(table, Table)
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
