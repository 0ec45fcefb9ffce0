"""A backup of the database: one file for SQLite and PostgreSQL, so that a backup of one can be restored into
the other.

The file is gzip over lines of JSON: a head, a line for each row, and an end with the number of rows and the
SHA-256 of all lines before it. Bytes are base64. Rows are read in one transaction, so the backup of a running
server is one moment; the file gets its name when it is complete and has been read back.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import LargeBinary, Table, create_engine, func, inspect, select, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import StatementError

from app.store.database import DatabaseError, prepared
from app.store.sqlite_file import sqlite_file
from app.store.tables import HEAD, Base

FORMAT_NUMBER = 1
LONGEST_LINE = 200 * 1024 * 1024
"""Bytes of a line: a row with its recordings in base64."""
SKIPPED_TABLES = frozenset({"schema_readers", "usage_running"})
"""Tables that no backup holds: migrations write the first, and the second tells which requests run at the
moment.
"""
NOT_AS_WRITTEN = (EOFError, zlib.error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError,
                  RecursionError)  # fmt: skip
"""The exceptions that reading a file raises if its content is not as Antiphon writes it."""
LATEST_MOMENT = 253_402_300_799
"""The last second of the year 9999, as Unix time."""
COMPRESSION_LEVEL = 6


@dataclass(frozen=True, slots=True)
class BackupHead:
    """What the first line of a backup says."""

    revision: str
    """Of the schema that the rows come from."""
    made: int
    """Unix time."""
    weights: tuple[str, ...]
    """Models whose weights were there; the backup does not have the weights themselves."""


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """A complete backup."""

    head: BackupHead
    rows: dict[str, int]
    """Number of rows by table."""


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
        with _new_file(file) as opened:
            _write(connection, head, opened)
    return read_summary(file)


def read_summary(file: Path) -> BackupSummary:
    """Reads a whole backup and checks it. Raises `DatabaseError`."""
    head: BackupHead | None = None
    for line in _lines(file):
        if head is None:
            head = _head(file, line)
        elif "end" in line:
            return BackupSummary(head, dict(line["end"]["rows"]))
    raise AssertionError  # `_lines` raises for a file without an end


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
        for line in _lines(file):
            if "table" in line:
                try:
                    _put_back(connection, tables, line)
                except NOT_AS_WRITTEN:
                    raise _damaged(file) from None
        _renew_counters(connection, tables.values())
        connection.commit()
    return summary


def _put_back(connection: Connection, tables: Mapping[str, Table], line: dict[str, Any]) -> None:
    """Inserts one row."""
    table = tables.get(line["table"])
    if table is None or not set(line["row"]) <= set(table.c.keys()):
        raise DatabaseError(f"The backup has rows that this version does not know: {line['table'][:40]}.")
    connection.execute(table.insert().values(_decoded(table, line["row"])))


def _write(connection: Connection, head: BackupHead, opened: IO[bytes]) -> None:
    digest = hashlib.sha256()
    present = set(inspect(connection).get_table_names())
    rows: dict[str, int] = {}

    def put(value: dict[str, Any]) -> None:
        line = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        digest.update(line)
        packed.write(line)

    with gzip.GzipFile(
        fileobj=opened, mode="wb", compresslevel=COMPRESSION_LEVEL, filename="", mtime=0
    ) as packed:
        put({"antiphon_backup": FORMAT_NUMBER, **asdict(head)})
        for table in Base.metadata.sorted_tables:
            if table.name in SKIPPED_TABLES or table.name not in present:
                continue
            rows[table.name] = 0
            for row in _rows(connection, table):
                put({"table": table.name, "row": row})
                rows[table.name] += 1
        packed.write(json.dumps({"end": {"rows": rows, "sha256": digest.hexdigest()}}).encode() + b"\n")


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    """One after the other: a row may have tens of megabytes. Columns that the schema lacks are left out."""
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


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of a backup, the end too, which is checked. Raises `DatabaseError`."""
    digest = hashlib.sha256()
    counted: dict[str, int] = {}
    try:
        with gzip.open(file, "rb") as opened:
            while data := opened.readline(LONGEST_LINE):
                line = json.loads(data)
                if not isinstance(line, dict):
                    break
                if "end" in line:
                    if line["end"]["sha256"] != digest.hexdigest() or opened.read(1):
                        break
                    if counted != {name: n for name, n in line["end"]["rows"].items() if n}:
                        break
                    yield line
                    return
                digest.update(data)
                if "table" in line:
                    counted[line["table"]] = counted.get(line["table"], 0) + 1
                yield line
    except FileNotFoundError:
        raise DatabaseError(f"There is no file {file}.") from None
    except (OSError, *NOT_AS_WRITTEN):
        raise _damaged(file) from None
    raise _damaged(file)


def _head(file: Path, line: dict[str, Any]) -> BackupHead:
    if line.get("antiphon_backup") != FORMAT_NUMBER:
        raise DatabaseError("This is no backup of Antiphon, or one of a newer version.")
    try:
        head = BackupHead(str(line["revision"]), int(line["made"]), tuple(map(str, line["weights"])))
    except NOT_AS_WRITTEN:
        raise _damaged(file) from None
    if not 0 <= head.made <= LATEST_MOMENT:
        raise _damaged(file)
    return head


def _damaged(file: Path) -> DatabaseError:
    return DatabaseError(f"{file} is no whole backup of Antiphon: it is damaged, cut off, or another file.")


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
    """PostgreSQL's sequences do not see rows that come with their number; SQLite's do."""
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


@contextmanager
def _new_file(file: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when it is complete, and replaces none. Raises `DatabaseError`."""
    try:
        number, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}.")
    except OSError as wrong:
        raise DatabaseError(f"{file} cannot be written: {wrong.strerror}.") from None
    unfinished = Path(name)
    try:
        with os.fdopen(number, "wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(unfinished, file)
        except PermissionError:  # a file system without links
            if file.exists():
                raise FileExistsError from None
            unfinished.rename(file)
    except FileExistsError:
        raise DatabaseError(f"{file} exists already, and a backup overwrites nothing.") from None
    except OSError as wrong:
        raise DatabaseError(f"{file} cannot be written: {wrong.strerror}.") from None
    finally:
        unfinished.unlink(missing_ok=True)
