"""Failures of the database reach the client as 503 or 507 with a clear message, on both databases."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from app.domain import AuditEntry, Caller
from app.errors import ApiError, InternalError, StorageFull, StorageUnavailable, from_os
from app.store import connect
from app.store.database import Database, prepared
from app.store.database_errors import translated
from app.store.keys import KeyStore
from app.store.schema_check import check_schema
from app.store.tables import storable
from app.store.voices import VoiceStore
from tests.support.database_lock import locked
from tests.support.migrated_database import migrated
from tests.support.voice_writer import SPEAKER, consent, voice

ME = Caller("mine", "key_1")
ENTRY = AuditEntry("test", "", "done", {})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 2)


@pytest.fixture
async def database(any_database: str) -> AsyncIterator[Database]:
    migrated(any_database)
    made = Database(any_database)
    await check_schema(made)  # as at the start: switches SQLite to its write-ahead log
    yield made
    await made.close()


def sync(url: str) -> Engine:
    return create_engine(prepared(url).replace("sqlite+aiosqlite", "sqlite"))


async def test_a_locked_database_is_told_and_heals(database: Database, any_database: str) -> None:
    store = VoiceStore(database)
    async with locked(any_database):
        with pytest.raises(StorageUnavailable, match="locked by another process") as caught:
            await store.add_consent(consent("mine"), b"r", SPEAKER, 1_000_000, ME, ENTRY)
        assert (caught.value.status, caught.value.retry_after) == (503, 5)
        with pytest.raises(StorageUnavailable):
            await store.note(ME, ENTRY)
        assert await store.consents("mine", None, 5) == ([], False)  # reading is still possible
    await store.add_consent(consent("mine"), b"r", SPEAKER, 1_000_000, ME, ENTRY)
    assert len((await store.consents("mine", None, 5))[0]) == 1


async def test_a_lock_is_known_before_the_work(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/antiphon.db"
    migrated(url)
    database = Database(url)
    await database.check_room(1)
    async with locked(url):
        with pytest.raises(StorageUnavailable):
            await database.check_room(1)
    await database.close()


async def test_a_full_disk_is_known_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/antiphon.db"
    migrated(url)
    database = Database(url)
    await database.check_room(1)
    full = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(StorageFull) as caught:
        await database.check_room(10_000_000)
    assert (caught.value.status, caught.value.code) == (507, "storage_full")
    await database.close()


async def test_a_disk_that_fills_while_writing(tmp_path: Path) -> None:
    """SQLite's own limit on pages fails in the same way as a full disk: SQLITE_FULL."""
    url = f"sqlite:///{tmp_path}/antiphon.db"
    migrated(url)
    database = Database(url)
    store = VoiceStore(database)
    async with database.reading() as session:  # the one connection of the pool, used again below
        pages = await session.scalar(text("PRAGMA page_count"))
        await session.execute(text(f"PRAGMA max_page_count={pages + 2}"))
    with pytest.raises(StorageFull):
        await store.add_consent(consent("mine"), b"r" * 1_000_000, SPEAKER, 1_000_000, ME, ENTRY)
    assert await store.consents("mine", None, 5) == ([], False)
    await database.close()


async def test_a_read_only_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/antiphon.db"
    migrated(url)
    database = Database(f"sqlite:///file:{tmp_path}/antiphon.db?mode=ro&uri=true")
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        await database.check_room(1)
    await database.close()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "antiphon.db").write_bytes(b"garbage " * 1000)
    database = Database(f"sqlite:///{tmp_path}/antiphon.db")
    with pytest.raises(StorageUnavailable, match="is damaged"):
        await VoiceStore(database).voices("mine")
    await database.close()


async def test_a_stopped_postgresql() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    for call in (KeyStore(database).all(), VoiceStore(database).voices("mine"), database.check_room(1)):
        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            await call
    await database.close()


async def test_a_postgresql_that_goes_and_comes_back(postgres: str) -> None:
    """When PostgreSQL stops, it closes every connection of the pool; the next request gets a new one."""
    migrated(postgres)
    database = Database(postgres)
    store = VoiceStore(database)
    assert await store.voices("mine") == []
    async with database.reading() as session:
        mine = await session.scalar(text("SELECT pg_backend_pid()"))
        engine = sync(postgres)
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
        engine.dispose()
        with pytest.raises(StorageUnavailable), translated():
            await session.execute(text("SELECT 1"))
    assert await store.voices("mine") == []
    await database.close()


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EPERM, InternalError)],
)
def test_system_calls(number: int, kind: type[ApiError]) -> None:
    assert isinstance(from_os(OSError(number, "x")), kind)


ODD = ["\0", "a\0b", "\ud800", "x\udfffy", "x" * 100_000, "", "%", "cons_\ufffd", "\U0001f600" * 300]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
async def test_odd_names_are_names_that_do_not_exist(database: Database, odd: str) -> None:
    store = VoiceStore(database)
    assert await store.consent("mine", odd) is None
    assert await store.speaker("mine", odd) is None
    assert await store.consents("mine", odd, 5) == ([], False)
    assert await store.consents(odd, None, 5) == ([], False)
    assert await store.voice("mine", odd) is None
    assert await store.voice_with_profile("mine", odd) is None
    assert await store.rename_consent("mine", odd, odd, ME) is None
    assert not await store.delete_consent("mine", odd, ME)
    assert not await store.delete_voice("mine", odd, ME)
    assert not await KeyStore(database).revoke(odd, 1, ME)


async def test_what_is_too_long_is_refused_by_name(database: Database) -> None:
    made = consent("m" * 201)
    with pytest.raises(ApiError, match="'project' has more than 200 characters") as caught:
        await VoiceStore(database).add_consent(made, b"", SPEAKER, 1_000_000, ME, ENTRY)
    assert caught.value.status == 400


async def test_a_name_with_nul_is_stored_without_it(database: Database) -> None:
    store = VoiceStore(database)
    made = consent("mine")
    await store.add_consent(made, b"", SPEAKER, 1_000_000, ME, ENTRY)
    assert await store.rename_consent("mine", made.id, "a\0b\ud800", ME)
    assert (await store.consents("mine", None, 1))[0][0].name == "a\ufffdb\ufffd"


def test_only_what_cannot_be_stored_changes() -> None:
    assert storable("é🙂 x\U0001f600") == "é🙂 x\U0001f600"
    assert storable("a\0b\ud800c") == "a\ufffdb\ufffdc"


async def test_faults_of_ours_stay_faults(database: Database) -> None:
    store = VoiceStore(database)
    made = consent("mine")
    await store.add_consent(made, b"", SPEAKER, 1_000_000, ME, ENTRY)
    with pytest.raises(Exception, match=r"(?i)unique") as caught:
        await store.add_consent(made, b"secret recording", SPEAKER, 1_000_000, ME, ENTRY)
    assert not isinstance(caught.value, ApiError)
    assert "parameters hidden" in str(caught.value)
    assert await store.voice("mine", voice("mine", made.id).id) is None


def test_every_state_of_sqlite_is_known() -> None:
    from app.store.database_errors import SQLITE_STATES

    assert all(isinstance(code, int) for code in SQLITE_STATES)
    assert sqlite3.SQLITE_FULL not in SQLITE_STATES
