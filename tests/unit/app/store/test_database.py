"""The database: migrations up and down, the schema check, keys."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import LargeBinary, create_engine, inspect, text

from app.errors import StorageUnavailable, Unauthorized
from app.services.keys import KeyService
from app.store import connect
from app.store.database import Database, DatabaseError, prepared
from app.store.keys import KeyStore
from app.store.migrations import downgrade, newest, upgrade, upgrade_if_needed
from app.store.schema_check import check_schema, revision_of
from app.store.tables import HEAD, Base
from app.store.voices import VoiceStore
from tests.support.migrated_database import migrated


@pytest.fixture
def url(any_database: str) -> str:
    return any_database


@pytest.fixture
async def keys(url: str) -> AsyncIterator[KeyService]:
    migrated(url)
    database = Database(url)
    yield KeyService(KeyStore(database), ["sk-fixed"])
    await database.close()


def sync(url: str) -> str:
    return prepared(url).replace("sqlite+aiosqlite", "sqlite")


def columns(url: str) -> dict[str, dict[str, tuple[str, bool]]]:
    engine = create_engine(sync(url))
    found = {
        table: {c["name"]: (str(c["type"]), c["nullable"]) for c in inspect(engine).get_columns(table)}
        for table in inspect(engine).get_table_names()
    }
    engine.dispose()
    return found


def test_the_known_revision_is_the_newest() -> None:
    assert newest() == HEAD


def test_migrations_make_the_tables_that_the_code_knows(url: str) -> None:
    upgrade(url)
    ours = columns(url)
    downgrade(url, "base")
    engine = create_engine(sync(url))
    Base.metadata.create_all(engine)
    engine.dispose()
    assert ours == columns(url)


REVISIONS = ["base", "0001", "0002", "0003"]
"""Every revision that was ever released."""
OLD_ROWS = (
    (
        "INSERT INTO voice_consents (id, project, name, language, recording, speaker, created) "
        "VALUES ('cons_old', 'mine', 'Ann', 'en-US', :blob, :vector, 1)"
    ),
    (
        "INSERT INTO voices (id, project, name, consent, language, cloner, engine, model, nearest, "
        "similarity, profile, sample, created) VALUES ('voice_old', 'mine', 'Ann', 'cons_old', 'en-US', "
        "'kokoro-match', 'kokoro', 'kokoro-82m', 'af', 0.5, :blob, :blob, 1)"
    ),
)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_database_of_every_revision_comes_up_with_its_rows(url: str, revision: str) -> None:
    if revision != "base":
        await asyncio.to_thread(upgrade, url, revision)
    if revision == "0002":
        engine = create_engine(sync(url))
        vector = np.full(256, 1 / 16, np.float32).tobytes()
        with engine.begin() as connection:
            for row in OLD_ROWS:
                connection.execute(text(row), {"blob": b"b", "vector": vector})
        engine.dispose()
    await asyncio.to_thread(upgrade_if_needed, url)
    database = Database(url)
    await check_schema(database)
    store = VoiceStore(database)
    if revision == "0002":
        speaker = await store.speaker("mine", "cons_old")
        assert speaker is not None
        assert speaker.encoder == "speaker-dvector"
        assert float(speaker.values @ speaker.values) == pytest.approx(1.0)
        assert [made.id for made in await store.voices("mine")] == ["voice_old"]
        await database.close()
        await asyncio.to_thread(downgrade, url, "0002")
        await asyncio.to_thread(upgrade_if_needed, url)
        database = Database(url)
        assert [made.id for made in await VoiceStore(database).voices("mine")] == ["voice_old"]
    await database.close()


def test_every_column_of_bytes_is_loaded_only_when_asked_for() -> None:
    """A list that loads recordings or profiles takes megabytes for each row."""
    for mapper in Base.registry.mappers:
        for column in mapper.column_attrs:
            if isinstance(column.columns[0].type, LargeBinary):
                assert column.deferred, column
                assert column.raiseload, column


def test_down_and_up_again(url: str) -> None:
    upgrade(url)
    downgrade(url, "base")
    assert set(columns(url)) == {"alembic_version"}
    upgrade_if_needed(url)
    upgrade_if_needed(url)
    assert "api_keys" in columns(url)


def test_looking_creates_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/deep/antiphon.db")
    assert asyncio.run(revision_of(database)) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url", ["mysql://a:secret@b/c", "mssql+pyodbc://x", "nonsense", "", "postgresql://a:secret@b:port/c"]
)
def test_other_databases_are_refused_in_words(url: str) -> None:
    with pytest.raises(DatabaseError, match=r"Only SQLite .* and PostgreSQL") as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_a_revision_that_does_not_exist_is_told(url: str) -> None:
    with pytest.raises(DatabaseError, match="is empty"):
        downgrade(url, "9999")
    upgrade(url)
    with pytest.raises(DatabaseError, match="no revision `9999`"):
        downgrade(url, "9999")


async def test_an_old_or_empty_schema_names_the_command(url: str) -> None:
    database = Database(url)
    with pytest.raises(DatabaseError, match="antiphon db upgrade"):
        await check_schema(database)
    await asyncio.to_thread(upgrade, url)
    async with database.writing() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(DatabaseError, match=r"0000.*antiphon db upgrade"):
        await check_schema(database)
    await database.close()


async def test_sqlite_is_set_up(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/antiphon.db")
    async with database.reading() as session:
        assert await session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert await session.scalar(text("PRAGMA foreign_keys")) == 1
        assert await session.scalar(text("PRAGMA busy_timeout")) == 5_000
    await database.close()


@pytest.mark.parametrize("bad", ["nonsense", "nodb://x", "oracle://x/y"])
def test_an_address_that_is_none(bad: str) -> None:
    with pytest.raises(DatabaseError):
        Database(bad)


async def test_a_key_is_made_shown_once_and_hashed(keys: KeyService, url: str) -> None:
    key, secret = await keys.create("newsroom", "news")
    assert secret.startswith("sk-")
    assert (await keys.authenticate(f"Bearer {secret}")).project == "news"
    assert (await keys.authenticate(f"bearer {secret}")).key == key.id
    assert (await keys.authenticate("Bearer sk-fixed")).key == "settings"
    engine = create_engine(sync(url))
    with engine.connect() as connection:
        kept = str(connection.execute(text("SELECT * FROM api_keys")).all())
    engine.dispose()
    assert key.id in kept
    assert secret not in kept


async def test_a_revoked_key_is_refused(keys: KeyService) -> None:
    key, secret = await keys.create("a")
    assert await keys.revoke(key.id)
    assert not await keys.revoke(key.id)
    with pytest.raises(Unauthorized):
        await keys.authenticate(f"Bearer {secret}")
    assert [k.revoked is not None for k in await keys.list()] == [True]


@pytest.mark.parametrize(
    "header", [None, "", "sk-fixed", "Basic sk-fixed", "Bearer", "Bearer sk-fixed x", "Bearer nope"]
)
async def test_wrong_headers(keys: KeyService, header: str | None) -> None:
    with pytest.raises(Unauthorized):
        await keys.authenticate(header)


async def test_a_wrong_key_is_not_echoed(keys: KeyService) -> None:
    with pytest.raises(Unauthorized) as caught:
        await keys.authenticate("Bearer sk-wrong-0123456789abcdef")
    assert "sk-wrong" not in caught.value.message
    assert caught.value.code == "invalid_api_key"


async def test_without_keys_the_server_is_open_until_the_first_is_made(url: str) -> None:
    migrated(url)
    database = Database(url)
    keys = KeyService(KeyStore(database), [])
    assert (await keys.authenticate(None)).key == "open"
    key, _ = await keys.create("a")
    with pytest.raises(Unauthorized):
        await keys.authenticate(None)
    # Revoking the last key must not open the server again.
    await keys.revoke(key.id)
    with pytest.raises(Unauthorized):
        await keys.authenticate(None)
    await database.close()


async def test_another_process_never_takes_the_log_from_under_an_open_database(tmp_path: Path) -> None:
    """SQLite's locks are lost if this process opens and closes the file by itself; then rows are lost too."""
    url = f"sqlite:///{tmp_path}/antiphon.db"
    await asyncio.to_thread(upgrade, url)
    database = Database(url)
    await check_schema(database)
    keys = KeyService(KeyStore(database), [])
    await keys.create("before")
    assert await database.problem() is None

    def seen_by_another() -> list[str]:
        """The keys that another process reads; it closes the file as `antiphon keys list` does."""
        look = "import sqlite3, sys; f = sqlite3.connect(sys.argv[1])\n"
        look += "print(*(row[0] for row in f.execute('SELECT name FROM api_keys ORDER BY name'))); f.close()"
        command = [sys.executable, "-c", look, str(tmp_path / "antiphon.db")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()

    assert await asyncio.to_thread(seen_by_another) == ["before"]
    await keys.create("second")
    # Not after `close`, which would write the rows of a log that somebody has deleted into the file.
    assert await asyncio.to_thread(seen_by_another) == ["before", "second"]
    await database.close()
    assert await asyncio.to_thread(seen_by_another) == ["before", "second"]


@pytest.mark.slow
async def test_writers_of_one_process_come_one_after_the_other(
    any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite alone would refuse those that wait for longer than it tries."""
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.05)
    migrated(any_database)
    database, ended = Database(any_database), list[int]()

    async def write(number: int) -> None:
        async with database.writing() as session:
            await session.execute(text("SELECT 1"))
            await asyncio.sleep(0.02)
        ended.append(number)

    await asyncio.gather(*map(write, range(20)))
    assert sorted(ended) == list(range(20))
    await database.close()


async def test_a_writer_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.write_turn.TURN_SECONDS", 0.05)
    migrated(f"sqlite:///{tmp_path}/antiphon.db")
    database = Database(f"sqlite:///{tmp_path}/antiphon.db")
    async with database.writing():
        with pytest.raises(StorageUnavailable, match="is busy"):
            async with database.writing():
                pytest.fail("two writers at once")
    async with database.writing() as session:
        await session.execute(text("SELECT 1"))
    await database.close()
