"""A backup of either database is restored into either, and is complete or not there at all."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from app.domain import AuditEntry, Caller, Grant, KeyLimits, UsageCounts, UsageEntry
from app.services.keys import KeyService
from app.store.backup import SKIPPED_TABLES, back_up, restore
from app.store.backup_file import read_summary
from app.store.database import Database, DatabaseError, prepared
from app.store.keys import KeyStore
from app.store.migrations import downgrade
from app.store.tables import HEAD, Base
from app.store.usage import UsageStore
from app.store.voices import VoiceStore
from tests.support.migrated_database import migrated
from tests.support.voice_writer import PROFILE, SPEAKER, consent, voice

pytestmark = pytest.mark.slow
ME = Caller("news", "key_1")
ENTRY = AuditEntry("test", "", "done", {"note": "zero \u0000? ✓ 🙂".replace("\0", "")})
Rows = dict[str, list[tuple[object, ...]]]


def rows_of(url: str) -> Rows:
    engine = create_engine(prepared(url).replace("sqlite+aiosqlite", "sqlite"))
    with engine.connect() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
            if table.name not in SKIPPED_TABLES
        }
    engine.dispose()
    return found


async def fill(url: str, count: int = 3) -> None:
    database = Database(url)
    store, keys = VoiceStore(database), KeyService(KeyStore(database), [])
    await keys.create("a ✓", "news", Grant(limits=KeyLimits(parallel=2), expires=2_000_000_000))
    for _ in range(count):
        made = consent("news")
        await store.add_consent(made, secrets.token_bytes(50_000), SPEAKER, 1_000_000, ME, ENTRY)
        await store.add_voice(voice("news", made.id), PROFILE, b"\0\xff" * 30_000, 100, ME, ENTRY)
    day = UsageEntry(
        account="key_1", project="news", span="day", start=86_400, counts=UsageCounts(requests=3, heard=1 / 3)
    )
    await UsageStore(database).add([day], {"key_1": 1}, front="f", at=1)
    await database.close()


@pytest.fixture
def full(any_database: str) -> str:
    migrated(any_database)
    asyncio.run(fill(any_database))
    return any_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "antiphon.backup"


@pytest.fixture
def empty(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/empty/antiphon.db"
    migrated(url)
    return url


def test_a_backup_holds_everything(full: str, empty: str, file: Path) -> None:
    summary = back_up(full, file, ["whisper-base"])
    assert summary.head.revision == HEAD
    assert summary.head.weights == ("whisper-base",)
    assert summary.rows["voices"] == 3
    assert file.stat().st_mode & 0o077 == 0, "nobody else may read it"
    assert restore(empty, file) == summary == read_summary(file)
    assert rows_of(empty) == rows_of(full)


def test_what_is_on_sqlite_moves_to_postgresql_and_goes_on(tmp_path: Path, file: Path, postgres: str) -> None:
    old = f"sqlite:///{tmp_path}/old/antiphon.db"
    migrated(old)
    asyncio.run(fill(old))
    back_up(old, file, [])
    migrated(postgres)
    try:
        restore(postgres, file)
        before = rows_of(old)
        assert rows_of(postgres) == before
        asyncio.run(fill(postgres, 1))  # new rows are numbered after the restored ones
        after = rows_of(postgres)
        assert len(after["voices"]) == len(before["voices"]) + 1
        again = tmp_path / "again.backup"
        back_up(postgres, again, [])
        back = f"sqlite:///{tmp_path}/back/antiphon.db"
        migrated(back)
        restore(back, again)
        assert rows_of(back) == after
    finally:
        downgrade(postgres, "base")


def test_a_backup_of_a_busy_server_is_one_moment(full: str, empty: str, file: Path) -> None:
    """Each consent has its voice and its audit rows, though all of them are added meanwhile."""
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            asyncio.run(fill(full, 2))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        summary = back_up(full, file, [])
    finally:
        stop.set()
        writer.join(60)
    restore(empty, file)
    found = rows_of(empty)
    assert len(found["voice_consents"]) - len(found["voices"]) in (0, 1), "one may have come between"
    assert summary.rows["voices"] >= 3


def test_nothing_is_overwritten(full: str, empty: str, file: Path) -> None:
    back_up(full, file, [])
    kept = file.read_bytes()
    with pytest.raises(DatabaseError, match="exists already"):
        back_up(full, file, [])
    assert file.read_bytes() == kept
    restore(empty, file)
    before = rows_of(empty)
    with pytest.raises(DatabaseError, match="has rows already"):
        restore(empty, file)
    assert rows_of(empty) == before
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []


def damaged(data: bytes) -> Iterator[bytes]:
    plain = gzip.decompress(data)
    lines = plain.splitlines(keepends=True)
    yield data[: len(data) // 2]
    yield data[:-9]
    yield gzip.compress(b"".join(lines[:-1]))
    yield gzip.compress(b"".join([*lines[:2], *lines[3:]]))
    yield gzip.compress(plain.replace(b'"hint":"', b'"hint":"x', 1))
    yield gzip.compress(plain + b"{}\n")
    yield b"no backup"
    yield gzip.compress(b"[1]\n")
    yield b""


def test_a_damaged_backup_restores_nothing(full: str, empty: str, file: Path) -> None:
    back_up(full, file, [])
    for number, data in enumerate(damaged(file.read_bytes())):
        broken = file.with_name(f"broken-{number}")
        broken.write_bytes(data)
        with pytest.raises(DatabaseError, match="backup of Antiphon"):
            restore(empty, broken)
    assert not any(rows_of(empty).values())


def sealed(*lines: object) -> bytes:
    """A backup file of these lines with a valid last line."""
    written = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    plain = b"".join(line + b"\n" for line in written)
    tables = [line["table"] for line in lines if isinstance(line, dict) and "table" in line]
    counts = {table: tables.count(table) for table in tables if isinstance(table, str)}
    end = {"end": {"rows": counts, "sha256": hashlib.sha256(plain).hexdigest()}}
    return gzip.compress(plain + json.dumps(end).encode() + b"\n")


def test_each_wrong_byte_of_a_backup_is_told(full: str, file: Path) -> None:
    """zlib raises its own error for some wrong bytes; that must become a message too, and
    not a stack trace.
    """
    back_up(full, file, [])
    whole = file.read_bytes()
    whole = gzip.compress(b"\n".join(line[:200] for line in gzip.decompress(whole).splitlines()))
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with pytest.raises(DatabaseError, match="backup of Antiphon"):
            read_summary(file)


HEAD_LINE = {"antiphon_backup": 1, "revision": HEAD, "made": 1, "weights": []}


@pytest.mark.parametrize(
    "lines",
    [
        ({"antiphon_backup": 1},),
        ({**HEAD_LINE, "made": "yesterday"},),
        ({**HEAD_LINE, "made": 10**30},),
        ({**HEAD_LINE, "made": float("inf")},),
        ({**HEAD_LINE, "weights": 5},),
        (b"[" * 100_000,),
        (HEAD_LINE, {"table": "audit"}),
        (HEAD_LINE, {"table": "audit", "row": None}),
        (HEAD_LINE, {"table": "voice_consents", "row": {"recording": 5}}),
        (HEAD_LINE, {"table": "voice_consents", "row": {"recording": "%%%%%"}}),
        (HEAD_LINE, {"table": "api_keys", "row": {"id": "x", "created": 10**40}}),
        (HEAD_LINE, {"table": "api_keys", "row": {"id": {"a": [1]}}}),
    ],
    ids=lambda lines: str(lines)[:80],
)
def test_a_file_that_no_version_wrote_is_told(empty: str, file: Path, lines: tuple[object, ...]) -> None:
    file.write_bytes(sealed(*lines))
    with pytest.raises(DatabaseError, match=r"backup of Antiphon|cannot be used"):
        restore(empty, file)
    assert not any(rows_of(empty).values())


def test_a_backup_of_an_older_schema_is_restored_into_a_newer_one(
    tmp_path: Path, empty: str, file: Path
) -> None:
    old = f"sqlite:///{tmp_path}/old/antiphon.db"
    migrated(old)
    asyncio.run(fill(old))
    downgrade(old, "0004")
    summary = back_up(old, file, [])
    assert summary.head.revision == "0004"
    assert "usage" not in summary.rows
    restore(empty, file)
    assert len(rows_of(empty)["voices"]) == 3
    keys = rows_of(empty)["api_keys"]
    assert len(keys) == 1


def test_a_backup_of_a_newer_version_is_refused(full: str, empty: str, file: Path) -> None:
    back_up(full, file, [])
    *lines, end = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    lines[0] = lines[0].replace(HEAD.encode(), b"9001", 1)
    seal = json.loads(end)
    seal["end"]["sha256"] = hashlib.sha256(b"".join(lines)).hexdigest()
    newer = file.with_name("newer")
    newer.write_bytes(gzip.compress(b"".join([*lines, json.dumps(seal).encode() + b"\n"])))
    with pytest.raises(DatabaseError, match="The backup has revision 9001"):
        restore(empty, newer)


def test_where_nothing_is(tmp_path: Path, file: Path) -> None:
    with pytest.raises(DatabaseError, match="There is no database"):
        back_up(f"sqlite:///{tmp_path}/none.db", file, [])
    with pytest.raises(DatabaseError, match="There is no file"):
        read_summary(file)
    assert not file.exists()
