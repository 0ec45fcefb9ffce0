"""A consent needs one permit, one decoding and one speech detection; it is refused before the work, and never
half stored.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.audio.decode import open_audio
from app.domain import Caller, ModelSpec
from app.errors import (
    ConsentLimit,
    ConsentNotFound,
    InvalidValue,
    ModelNotFound,
    ModelUnavailable,
    Overloaded,
    PhraseNotHeard,
    RequestTimedOut,
    StorageFull,
)
from app.models.registry import Registry
from app.runtime.admission import Admission
from app.runtime.blocking_work import WorkThreads
from app.services.consents import ConsentRules, ConsentService
from app.services.diarization import DiarizationService, SpeakerRules
from app.services.transcription import TranscriptionRules, TranscriptionService
from app.store import database as database_module
from app.store.database import Database
from app.store.voices import VoiceStore
from app.text.consent_phrases import PHRASES, match
from tests.support.fake_runner import FakeRunner
from tests.support.migrated_database import migrated
from tests.support.sound import silence, tone, wav
from tests.support.voice_writer import audit
from tests.support.waiting import rounds

ME = Caller("mine", "key_1")
CLIP = wav(tone(12))
QUOTA = 2
ENCODER = ModelSpec("speaker-new", "speaker", "fake", Path(), 0, "")


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner(PHRASES["en"])


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/antiphon.db"


@pytest.fixture
async def service(runner: FakeRunner, url: str, tmp_path: Path) -> AsyncIterator[ConsentService]:
    await asyncio.to_thread(migrated, url)
    database, threads = Database(url), WorkThreads(2)
    yield made(runner, threads, database, tmp_path)
    threads.close()
    await database.close()


def made(
    runner: FakeRunner, threads: WorkThreads, database: Database, folder: Path, model: str = "whisper-1"
) -> ConsentService:
    (folder / "model").mkdir(exist_ok=True)
    registry = Registry({"whisper-1": str(folder / "model")}, folder / "weights")
    diarization = DiarizationService(runner, threads, ENCODER, SpeakerRules(one_speaker=0.5))
    rules = TranscriptionRules(
        audio_seconds=600,
        windows_ahead=2,
        seconds_together=8,
        window_seconds=30,
        beam_size=1,
        greedy_first=False,
    )
    transcription = TranscriptionService(runner, threads, registry, diarization, rules)
    phrase = ConsentRules(organisation="OpenAI", threshold=0.85, check="enforce", model=model, quota=QUOTA)
    return ConsentService(runner, threads, transcription, ENCODER, VoiceStore(database), phrase)


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry for each time that an upload is opened."""
    found: list[Any] = []
    real = open_audio

    def counted(*arguments: Any, **options: Any) -> Any:
        found.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr("app.services.steps.open_upload.open_audio", counted)
    return found


async def test_one_permit_one_decoding_one_detection(
    service: ConsentService, runner: FakeRunner, decodings: list[Any], url: str
) -> None:
    consent = await service.create(ME, "Ann", "en-US", CLIP)
    assert (consent.language, consent.project) == ("en-US", "mine")
    assert runner.calls == ["admit", "load", "load", "detect", "transcribe", "embed"]
    assert len(decodings) == 1
    assert runner.windows[0].language == "en"
    assert sum(window.pcm.seconds for window in runner.windows) == pytest.approx(12, abs=0.1)
    assert runner.admission.count == 0
    assert await service.get(ME, consent.id) == consent
    speaker = await service._store.speaker("mine", consent.id)
    assert speaker is not None
    assert speaker.encoder == "speaker-new"
    assert [(row.action, row.outcome) for row in audit(url, "mine")] == [("consent.create", "passed")]


async def test_the_wrong_words_are_refused_before_the_speaker_is_measured(
    service: ConsentService, runner: FakeRunner, url: str
) -> None:
    runner.text = "The weather is lovely."
    with pytest.raises(PhraseNotHeard, match="lovely"):
        await service.create(ME, "Ann", "en-US", CLIP)
    assert "embed" not in runner.calls
    assert [(row.action, row.outcome) for row in audit(url, "mine")] == [("consent.check", "refused")]
    assert runner.admission.count == 0


@pytest.mark.parametrize(
    "language", ["esperanto", "fragile", "en\0", "xx", "", "en-" + 99 * "x"], ids=range(6)
)
async def test_languages_without_a_phrase_cost_nothing(
    service: ConsentService, runner: FakeRunner, language: str
) -> None:
    with pytest.raises(InvalidValue, match="Languages that have one: de, en, es") as caught:
        await service.create(ME, "Ann", language, CLIP)
    assert caught.value.param == "language"
    assert runner.calls == []


async def test_a_full_server_refuses_before_the_work(
    service: ConsentService, runner: FakeRunner, decodings: list[Any]
) -> None:
    runner.admission = Admission(1, 60)
    with runner.admission.admit(), pytest.raises(Overloaded):
        await service.create(ME, "Ann", "en-US", CLIP)
    assert decodings == []
    assert runner.calls == ["admit"]


async def test_a_full_disk_refuses_before_the_work(
    service: ConsentService, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "free_bytes", lambda _: 0.0)
    with pytest.raises(StorageFull):
        await service.create(ME, "Ann", "en-US", CLIP)
    assert runner.calls == []


async def test_the_number_of_consents_is_bounded_before_the_work(
    service: ConsentService, runner: FakeRunner
) -> None:
    for _ in range(QUOTA):
        await service.create(ME, "Ann", "en-US", CLIP)
    runner.calls.clear()
    with pytest.raises(ConsentLimit, match="2 voice consents, the most"):
        await service.create(ME, "Ann", "en-US", CLIP)
    assert runner.calls == []
    await service.create(Caller("other", "key_2"), "Ann", "en-US", CLIP)


async def test_of_many_at_once_no_more_are_made_than_the_project_may_have(service: ConsentService) -> None:
    making = [service.create(ME, "Ann", "en-US", CLIP) for _ in range(5)]
    done = await asyncio.gather(*making, return_exceptions=True)
    assert sum(isinstance(one, ConsentLimit) for one in done) == 5 - QUOTA


async def test_a_client_that_leaves_during_the_last_write_leaves_the_consent_and_a_line(
    service: ConsentService, url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()
    add = service._store.add_consent

    async def slow(*arguments: Any) -> None:
        begun.set()
        await gate.wait()
        await add(*arguments)

    monkeypatch.setattr(service._store, "add_consent", slow)
    creating = asyncio.ensure_future(service.create(ME, "Ann", "en-US", CLIP))
    await begun.wait()
    for _ in range(3):
        creating.cancel()
        await rounds(1)
    gate.set()
    made = await creating
    assert await service.get(ME, made.id) == made
    assert [row.action for row in audit(url, "mine")] == ["consent.create"]
    assert f"{made.id} was made" in caplog.text


async def test_a_missing_model_is_told_before_the_work(runner: FakeRunner, url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(migrated, url)
    database, threads = Database(url), WorkThreads(1)
    with pytest.raises(ModelNotFound):
        await made(runner, threads, database, tmp_path, "no-such").create(ME, "Ann", "en", CLIP)
    assert runner.calls == []
    threads.close()
    await database.close()


@pytest.mark.parametrize("which", ["encoder", "transcriber"])
async def test_weights_that_are_missing_are_told_before_the_work(
    service: ConsentService, runner: FakeRunner, decodings: list[Any], which: str
) -> None:
    runner.missing = {ENCODER.id if which == "encoder" else service._transcription.model("whisper-1").id}
    with pytest.raises(ModelUnavailable):
        await service.create(ME, "Ann", "en", CLIP)
    assert set(runner.calls) == {"admit", "load"}
    assert decodings == []
    assert runner.admission.count == 0


async def test_silence_names_the_field(service: ConsentService, runner: FakeRunner) -> None:
    with pytest.raises(InvalidValue, match="Nobody speaks") as caught:
        await service.create(ME, "Ann", "en", wav(silence(5)))
    assert caught.value.param == "recording"
    assert "transcribe" not in runner.calls


async def test_a_deadline_is_a_deadline(service: ConsentService, runner: FakeRunner) -> None:
    """A deadline is reported as a timeout, and not as a broken recording."""
    runner.admission = Admission(8, -1.0)
    with pytest.raises(RequestTimedOut) as caught:
        await service.create(ME, "Ann", "en", CLIP)
    assert (caught.value.status, caught.value.param) == (408, None)


async def test_the_phrase_is_matched_beside_the_event_loop(
    service: ConsentService, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def watched(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return match(*arguments)

    monkeypatch.setattr("app.services.consents.match", watched)
    await service.create(ME, "Ann", "en", CLIP)
    assert threads
    assert threading.main_thread() not in threads


async def test_what_is_not_there_is_told(service: ConsentService) -> None:
    for call in (service.get(ME, "cons_x"), service.rename(ME, "cons_x", "a"), service.delete(ME, "cons_x")):
        with pytest.raises(ConsentNotFound):
            await call
