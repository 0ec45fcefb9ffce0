"""A backup of the database: one file for SQLite and PostgreSQL, so that a backup of one can be restored into
the other.

Law: rows are read in one transaction, so the backup of a running server is one moment, and are put back in
one. What the file looks like is decided by `backup_file.py`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, Table, create_engine, func, inspect, select, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import StatementError

from app.store.backup_file import (
    NOT_AS_WRITTEN,
    BackupHead,
    BackupSummary,
    backup_lines,
    damaged,
    read_summary,
    written_lines,
)
from app.store.database import DatabaseError, prepared
from app.store.sqlite_file import sqlite_file
from app.store.tables import HEAD, Base

SKIPPED_TABLES = frozenset({"schema_readers", "usage_running"})
"""Tables that no backup holds: migrations write the first, and the second tells which requests run at the
moment.
"""


def back_up(url: str, file: Path, weights: Sequence[str]) -> BackupSummary:
    """Writes a backup to a file that does not exist yet. Raises `DatabaseError`."""
    if file.exists():
        raise DatabaseError(f"{file} exists already, and a backup overwrites nothing. Name another file.")
    with _connected(url) as connection:
        revision = _revision(connection)
        if revision is None:
            raise DatabaseError("The database is empty, so there is nothing to back up.")
        if revision > HEAD:
            raise DatabaseError(
                f"The database has revision {revision}, and this version knows {HEAD} at most: it cannot "
                "tell what a newer one stores. Make the backup with the newer version."
            )
        head = BackupHead(revision, int(time.time()), tuple(weights))
        present = set(inspect(connection).get_table_names()) - SKIPPED_TABLES
        tables = [table for table in Base.metadata.sorted_tables if table.name in present]
        with written_lines(file, head, [table.name for table in tables]) as add:
            for table in tables:
                for row in _rows(connection, table):
                    add(table.name, row)
    return read_summary(file)


def restore(url: str, file: Path) -> BackupSummary:
    """Puts the rows of a backup into a database of the newest revision without rows.

    All or nothing. Raises `DatabaseError`.
    """
    summary = read_summary(file)
    if summary.head.revision > HEAD:
        raise DatabaseError(
            f"The backup has revision {summary.head.revision}, and this version knows {HEAD} at most. Use "
            "the version that made it, or a newer one."
        )
    with _connected(url, writing=True) as connection:
        _check_empty(connection)
        tables = {table.name: table for table in Base.metadata.sorted_tables}
        for line in backup_lines(file):
            if "table" in line:
                try:
                    _put_back(connection, tables, line)
                except NOT_AS_WRITTEN:
                    raise damaged(file) from None
        _renew_counters(connection, tables.values())
        connection.commit()
    return summary


def _put_back(connection: Connection, tables: Mapping[str, Table], line: dict[str, Any]) -> None:
    """Inserts one row."""
    table = tables.get(line["table"])
    if table is None or not set(line["row"]) <= set(table.c.keys()):
        raise DatabaseError(f"The backup has rows that this version does not know: {line['table'][:40]}.")
    connection.execute(table.insert().values(_decoded(table, line["row"])))


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    """The rows of a table, one at a time because a row may have tens of megabytes. Columns that the schema
    lacks are left out.
    """
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    columns = [column for column in table.c if column.name in there]
    wanted = select(*columns).order_by(*table.primary_key.columns)
    streamed = connection.execution_options(yield_per=1).execute(wanted)
    for row in streamed.mappings():
        yield {
            name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in row.items()
        }


def _decoded(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: base64.b64decode(value)
        if isinstance(table.c[name].type, LargeBinary) and value is not None
        else value
        for name, value in row.items()
    }


def _check_empty(connection: Connection) -> None:
    if _revision(connection) != HEAD:
        raise DatabaseError("The database has no schema of this version. Run `antiphon db upgrade` first.")
    for table in Base.metadata.sorted_tables:
        if table.name not in SKIPPED_TABLES and connection.scalar(select(func.count()).select_from(table)):
            raise DatabaseError(
                f"The database has rows already (table {table.name}), and a restore overwrites nothing. Use "
                "an empty database: a new `storage.database_url` or `storage.folder`."
            )


def _renew_counters(connection: Connection, tables: Any) -> None:
    """Sets PostgreSQL's sequences, which do not notice rows that were inserted with their numbers; SQLite
    notices them.
    """
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        if "seq" in table.c:
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'seq'), "  # noqa: S608 - our own name
                    f"GREATEST((SELECT COALESCE(MAX(seq), 0) FROM {table.name}), 1))"
                )
            )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    number = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return str(number) if number else None


@contextmanager
def _connected(url: str, *, writing: bool = False) -> Iterator[Connection]:
    """One transaction that sees one moment of the database. Raises `DatabaseError`."""
    parsed = make_url(prepared(url))
    file = sqlite_file(parsed)
    if file is not None and not file.exists():
        raise DatabaseError(f"There is no database at {file}. Run `antiphon db upgrade` first.")
    engine = create_engine(prepared(url).replace("sqlite+aiosqlite", "sqlite"), hide_parameters=True)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]  # sqlite3's
                connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
            elif not writing:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection
            connection.rollback()
    except StatementError as wrong:
        raise DatabaseError(f"The database cannot be used ({type(wrong.orig).__name__}).") from None
    finally:
        engine.dispose()
