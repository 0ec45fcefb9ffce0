"""The file of a backup: gzip over lines of JSON.

The lines are a head, a line for each row, and an end with the number of rows and the SHA-256 of all lines
before it. Bytes are base64.

Law: knows lines and files, and no database. The file gets its name when it is complete.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from app.store.database import DatabaseError

FORMAT_NUMBER = 1
LONGEST_LINE = 200 * 1024 * 1024
"""The most bytes of a line: a row with its recordings in base64."""
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
    """Revision of the schema of the rows."""
    made: int
    """Unix time at which the backup was made."""
    weights: tuple[str, ...]
    """Models whose weights were installed. The backup does not contain the weights themselves."""


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """The content of a complete backup, in numbers."""

    head: BackupHead
    rows: dict[str, int]
    """Number of rows by table."""


def read_summary(file: Path) -> BackupSummary:
    """Reads a whole backup and checks it. Raises `DatabaseError`."""
    head: BackupHead | None = None
    for line in backup_lines(file):
        if head is None:
            head = _head(file, line)
        elif "end" in line:
            return BackupSummary(head, dict(line["end"]["rows"]))
    raise AssertionError  # `backup_lines` raises for a file without an end


@contextmanager
def written_lines(
    file: Path, head: BackupHead, tables: Iterable[str]
) -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """A new backup with its head and its end. Yields the function that adds a row of one of `tables`.

    Raises `DatabaseError` if the file exists already, or if it cannot be written.
    """
    digest = hashlib.sha256()
    rows = dict.fromkeys(tables, 0)

    def put(value: dict[str, Any]) -> None:
        line = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        digest.update(line)
        packed.write(line)

    def add(table: str, row: dict[str, Any]) -> None:
        rows[table] += 1
        put({"table": table, "row": row})

    with (
        _new_file(file) as opened,
        gzip.GzipFile(
            fileobj=opened, mode="wb", compresslevel=COMPRESSION_LEVEL, filename="", mtime=0
        ) as packed,
    ):
        put({"antiphon_backup": FORMAT_NUMBER, **asdict(head)})
        yield add
        packed.write(json.dumps({"end": {"rows": rows, "sha256": digest.hexdigest()}}).encode() + b"\n")


def backup_lines(file: Path) -> Iterator[dict[str, Any]]:
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
        raise damaged(file) from None
    raise damaged(file)


def _head(file: Path, line: dict[str, Any]) -> BackupHead:
    if line.get("antiphon_backup") != FORMAT_NUMBER:
        raise DatabaseError("This is no backup of Antiphon, or one of a newer version.")
    try:
        head = BackupHead(str(line["revision"]), int(line["made"]), tuple(map(str, line["weights"])))
    except NOT_AS_WRITTEN:
        raise damaged(file) from None
    if not 0 <= head.made <= LATEST_MOMENT:
        raise damaged(file)
    return head


def damaged(file: Path) -> DatabaseError:
    return DatabaseError(f"{file} is no whole backup of Antiphon: it is damaged, cut off, or another file.")


@contextmanager
def _new_file(file: Path) -> Iterator[IO[bytes]]:
    """A file that gets its final name when it is complete, and never replaces another file. Raises
    `DatabaseError`.
    """
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
        except PermissionError:  # the file system does not support links
            if file.exists():
                raise FileExistsError from None
            unfinished.rename(file)
    except FileExistsError:
        raise DatabaseError(f"{file} exists already, and a backup overwrites nothing.") from None
    except OSError as wrong:
        raise DatabaseError(f"{file} cannot be written: {wrong.strerror}.") from None
    finally:
        unfinished.unlink(missing_ok=True)
