"""Consents and voices on both databases: pages, revocation, quotas, projects, two processes, sudden death."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event

from app.domain import AuditEntry, Caller
from app.store.database import Database
from app.store.voice_loudness import LoudnessStore
from app.store.voices import ConsentGone, QuotaReached, VoiceStore
from tests.conftest import ROOT
from tests.support.migrated_database import migrated
from tests.support.voice_writer import PROFILE, SPEAKER, audit, consent, voice

ME = Caller("mine", "key_1")
ENTRY = AuditEntry("test", "", "done", {"score": 0.5})


@pytest.fixture
async def store(any_database: str) -> AsyncIterator[VoiceStore]:
    migrated(any_database)
    database = Database(any_database)
    yield VoiceStore(database)
    await database.close()


async def add(store: VoiceStore, count: int, project: str = "mine") -> list[str]:
    made = [consent(project) for _ in range(count)]
    for one in made:
        await store.add_consent(one, b"recording", SPEAKER, 1_000_000, ME, ENTRY)
    return [one.id for one in made]


async def pages(store: VoiceStore, limit: int) -> list[str]:
    found: list[str] = []
    after, more = None, True
    while more:
        page, more = await store.consents("mine", after, limit)
        found += [one.id for one in page]
        after = page[-1].id if page else None
    return found


async def test_pages_are_newest_first_and_whole(store: VoiceStore) -> None:
    ids = await add(store, 7)
    for limit in (1, 2, 3, 7, 100):
        assert await pages(store, limit) == ids[::-1]
    assert await store.consents("mine", "cons_unknown", 5) == ([], False)


async def test_pages_stay_stable_while_rows_come_and_go(store: VoiceStore) -> None:
    ids = await add(store, 6)
    first, _ = await store.consents("mine", None, 3)
    await add(store, 2)
    await store.delete_consent("mine", ids[1], ME)
    second, _ = await store.consents("mine", first[-1].id, 3)
    assert [one.id for one in [*first, *second]] == [ids[5], ids[4], ids[3], ids[2], ids[0]]


@pytest.mark.parametrize("whole", [True, False], ids=["the consent", "the voice alone"])
async def test_the_loudness_of_a_voice_goes_with_it(
    store: VoiceStore, any_database: str, whole: bool
) -> None:
    database = Database(any_database)
    loudness = LoudnessStore(database)
    (made,) = await add(store, 1)
    gone, kept = voice("mine", made), voice("mine", (await add(store, 1))[0])
    for one in (gone, kept):
        await store.add_voice(one, PROFILE, b"sample", 5, ME, ENTRY)
        await loudness.keep("kokoro-82m", one.id, 0.01, 2.0)
    await loudness.keep("kokoro-82m", "af_heart", 0.02, 3.0)
    assert await loudness.find("kokoro-82m", gone.id) == (0.01, 2.0)
    if whole:
        assert await store.delete_consent("mine", made, ME)
    else:
        assert await store.delete_voice("mine", gone.id, ME)
    await loudness.keep("kokoro-82m", gone.id, 0.01, 60.0)  # an answer was being spoken meanwhile
    assert await loudness.find("kokoro-82m", gone.id) is None
    assert await loudness.find("kokoro-82m", kept.id) == (0.01, 2.0)
    assert await loudness.find("kokoro-82m", "af_heart") == (0.02, 3.0)
    await database.close()


async def test_deleting_a_consent_takes_its_voices_and_leaves_the_audit(
    store: VoiceStore, any_database: str
) -> None:
    (made,) = await add(store, 1)
    spoken = voice("mine", made)
    await store.add_voice(spoken, PROFILE, b"sample", 5, ME, ENTRY)
    assert await store.voice("mine", spoken.id) == spoken
    assert await store.delete_consent("mine", made, ME)
    assert await store.voice("mine", spoken.id) is None
    assert not await store.delete_consent("mine", made, ME)
    actions = [entry.action for entry in audit(any_database, "mine")]
    assert actions == ["test", "test", "consent.delete", "voice.revoke"]


async def test_a_voice_needs_a_consent_that_is_there(store: VoiceStore) -> None:
    with pytest.raises(ConsentGone):
        await store.add_voice(voice("mine", "cons_gone"), b"", b"", 5, ME, ENTRY)
    (other,) = await add(store, 1, "theirs")
    with pytest.raises(ConsentGone):
        await store.add_voice(voice("mine", other), b"", b"", 5, ME, ENTRY)


async def test_other_projects_see_nothing(store: VoiceStore) -> None:
    (made,) = await add(store, 1)
    spoken = voice("mine", made)
    await store.add_voice(spoken, PROFILE, b"sample", 5, ME, ENTRY)
    them = Caller("theirs", "key_2")
    assert await store.consent("theirs", made) is None
    assert await store.voice("theirs", spoken.id) is None
    assert await store.voices("theirs") == []
    assert await store.rename_consent("theirs", made, "stolen", them) is None
    assert not await store.delete_consent("theirs", made, them)
    assert not await store.delete_voice("theirs", spoken.id, them)
    assert await store.consents("theirs", made, 5) == ([], False)


async def test_the_quota_holds_when_many_come_at_once(store: VoiceStore) -> None:
    (made,) = await add(store, 1)
    tries = [store.add_voice(voice("mine", made), b"p", b"s", 3, ME, ENTRY) for _ in range(10)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, QuotaReached) for one in done) == 7
    assert len(await store.voices("mine")) == 3


async def test_the_quota_of_consents_holds_when_many_come_at_once(store: VoiceStore) -> None:
    tries = [store.add_consent(consent("mine"), b"r", SPEAKER, 3, ME, ENTRY) for _ in range(10)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, QuotaReached) for one in done) == 7
    assert len(await pages(store, 100)) == 3
    await add(store, 1, "theirs")
    await store.check_consents("theirs", 2)
    with pytest.raises(QuotaReached):
        await store.check_consents("theirs", 1)


@pytest.mark.parametrize(
    "name", ["%", "_", "' OR 1=1 --", "\\", "../../etc", "voice_%", "🙂" * 100], ids=range(7)
)
async def test_names_are_only_names(store: VoiceStore, name: str) -> None:
    await add(store, 1)
    assert await store.voice("mine", name) is None
    assert await store.consent("mine", name) is None
    assert not await store.delete_voice("mine", name, ME)


async def test_lists_load_no_blob(store: VoiceStore) -> None:
    """Counted: the columns that each list asks the database for, and the bytes that come back."""
    (made,) = await add(store, 1)
    for _ in range(3):
        await store.add_voice(voice("mine", made), b"p" * 4_000_000, b"s" * 1_000_000, 5, ME, ENTRY)
    asked: list[str] = []
    engine = store._database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, statement, *_rest: asked.append(statement))
    tracemalloc.start()
    try:
        assert len(await store.voices("mine")) == 3
        assert len((await store.consents("mine", None, 5))[0]) == 1
        assert await store.consent("mine", made)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    selects = [statement for statement in asked if "SELECT" in statement]
    assert len(selects) == 3
    for statement in selects:
        assert not any(f".{blob}" in statement for blob in ("profile", "sample", "recording", "speaker"))
    asked.clear()
    await store.rename_consent("mine", made, "b", ME)
    assert await store.delete_consent("mine", made, ME)
    assert not any(f".{blob}" in text for text in asked for blob in ("profile", "sample", "recording"))


def writer(url: str, project: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.voice_writer", url, project, str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.slow
async def test_two_processes_lose_and_double_nothing(store: VoiceStore, any_database: str) -> None:
    both = [writer(any_database, "mine", 100) for _ in range(2)]
    lines = [line.split() for process in both for line in process.communicate(timeout=120)[0].splitlines()]
    assert [process.returncode for process in both] == [0, 0]
    deleted = {line[1] for line in lines if line[0] == "-"}
    made = [line for line in lines if line[0] != "-"]
    assert len(made) == 200
    assert sorted(await pages(store, 7)) == sorted(line[0] for line in made)
    assert {v.id for v in await store.voices("mine")} == {line[1] for line in made} - deleted


@pytest.mark.slow
async def test_sudden_death_leaves_no_half_voice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/antiphon.db"
    migrated(url)
    told: list[str] = []
    for _ in range(25):
        process = writer(url, "mine", 10_000)
        assert process.stdout
        told.append(process.stdout.readline().split()[1])
        await asyncio.sleep(random.uniform(0.0, 0.15))
        process.kill()
        told += [line.split()[1] for line in process.communicate()[0].splitlines() if line.count("_") == 2]
    database = Database(url)
    store = VoiceStore(database)
    voices = {made.id: made for made in await store.voices("mine")}
    deleted = {entry.subject for entry in audit(url, "mine") if entry.action == "voice.delete"}
    assert set(told) - deleted <= set(voices)
    for made in voices.values():
        assert await store.voice_with_profile("mine", made.id) == (made, PROFILE)
        assert await store.consent("mine", made.consent)
    await database.close()


@pytest.mark.slow
async def test_a_voice_for_a_consent_that_goes_at_that_moment_is_made_or_refused(store: VoiceStore) -> None:
    """On PostgreSQL the foreign key failed if the consent went between the two steps: a 500."""
    for made in await add(store, 20):
        tries = [store.add_voice(voice("mine", made), b"p", b"s", 100, ME, ENTRY) for _ in range(3)]
        *added, gone = await asyncio.gather(
            *tries, store.delete_consent("mine", made, ME), return_exceptions=True
        )
        assert gone is True
        assert all(one is None or isinstance(one, ConsentGone) for one in added), added
    assert await store.voices("mine") == []
