"""A voice whose loudness one server has measured sounds equally loud on the next server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.errors import StorageUnavailable
from app.services.steps.shared_loudness import SharedLoudness
from app.settings import Settings
from app.store.database import Database
from app.store.voice_loudness import LoudnessStore
from engines.types import Pcm
from tests.support.migrated_database import migrated
from tests.support.sound import tone

VOICE = ("kokoro-82m", "af_heart")
TARGET_LUFS = -19.0


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrated, settings.database_url)
    made = Database(settings.database_url)
    yield made
    await made.close()


def spoken(level: float, seconds: float = 2.0) -> Pcm:
    return Pcm(tone(seconds) * level)


def sharing(store: LoudnessStore) -> SharedLoudness:
    made = SharedLoudness(store)
    made.share()
    return made


async def test_a_command_without_a_server_makes_no_database(tmp_path: Path) -> None:
    file = tmp_path / "antiphon.db"
    database = Database(f"sqlite:///{file}")
    alone = SharedLoudness(LoudnessStore(database))
    await alone.prepare(VOICE)
    alone.book.note(VOICE, spoken(0.5))
    alone.keep(VOICE)
    await alone.close()
    await database.close()
    assert not file.exists()


async def test_a_second_server_begins_with_the_first_ones_measurement(database: Database) -> None:
    first, second = sharing(LoudnessStore(database)), sharing(LoudnessStore(database))
    await first.prepare(VOICE)
    gain = first.book.gain(VOICE, spoken(0.5, 20), TARGET_LUFS)
    first.keep(VOICE)
    await first.close()
    await second.prepare(VOICE)
    other = second.book.gain(VOICE, spoken(0.05, 0.5), TARGET_LUFS)
    alone = SharedLoudness(LoudnessStore(database)).book.gain(VOICE, spoken(0.05, 0.5), TARGET_LUFS)
    assert abs(other - gain) < 0.5
    assert alone - gain > 10


async def test_it_is_written_only_when_it_has_become_better(database: Database) -> None:
    store = LoudnessStore(database)
    shared = sharing(store)
    for number, written in ((1, 2.0), (2, 4.0), (3, 4.0), (4, 8.0)):
        shared.book.note(VOICE, spoken(0.5))
        shared.keep(VOICE)
        await shared.close()
        found = await store.find(*VOICE)
        assert found
        assert found[1] == pytest.approx(written), number
    await store.keep(*VOICE, 0.9, 1.0)
    assert (await store.find(*VOICE)) == found, "a worse measurement does not replace a better one"


async def test_speech_goes_on_without_the_database(database: Database) -> None:
    class Broken(LoudnessStore):
        async def find(self, model: str, voice: str) -> tuple[float, float] | None:
            raise StorageUnavailable

        async def keep(self, model: str, voice: str, power: float, seconds: float) -> None:
            raise StorageUnavailable

    shared = sharing(Broken(database))
    await shared.prepare(VOICE)
    shared.book.note(VOICE, spoken(0.5))
    shared.keep(VOICE)
    await shared.close()
    assert shared.book.knows(VOICE)
