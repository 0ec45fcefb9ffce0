"""A voice is refused before the work if a model is missing, and each check of a speaker leaves a row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from app.domain import AuditEntry, Caller, ModelSpec, VoiceConsent
from app.errors import ModelUnavailable, SeveralSpeakers, SpeakerMismatch
from app.models.registry import Registry
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.services.voices import VoiceRules, VoiceService
from app.store.audit import AuditLog
from app.store.database import Database
from app.store.voices import VoiceStore
from engines.contracts import Synthesizer
from engines.types import Pcm, Samples, SpeakerSample, VoiceProfile
from tests.support.fake_runner import FakeRunner
from tests.support.migrated_database import migrated
from tests.support.sound import tone, wav
from tests.support.voice_writer import SPEAKER, audit, consent

ME = Caller("mine", "key_1")
CLIP = wav(tone(7))
ENCODER = ModelSpec(SPEAKER.encoder, "speaker", "fake", Path(), 0, "")
MODEL = "kokoro-82m"


@dataclass
class FakeCloner:
    """A cloner that needs its loaded model, or does not."""

    LOADS: bool
    ENGINE: str = "fake"
    MODEL: str = MODEL
    RATE: int = 24_000

    def enroll(self, sample: SpeakerSample, synthesizer: Synthesizer | None) -> VoiceProfile:
        return VoiceProfile("fake", b"profile", "", 0.9)


@dataclass
class TwoSpeakers(FakeRunner):
    """A runner that hears another speaker in every sound."""

    heard: int = field(default=0)

    async def embed(self, model: ModelSpec, sound: Pcm, permit: Permit) -> Samples:
        self.heard += 1
        vector = np.zeros(256, np.float32)
        vector[self.heard] = 1.0
        return vector


@dataclass
class House:
    """A service with a consent of the speaker whom `FakeRunner` hears."""

    url: str
    threads: WorkThreads
    database: Database
    folder: Path
    consent: VoiceConsent

    def service(self, runner: FakeRunner, *, loads: bool = False) -> VoiceService:
        rules = VoiceRules(
            cloner="fake",
            model="",
            threshold=0.5,
            one_speaker=0.36,
            check="enforce",
            shortest=1,
            longest=30,
            quota=5,
        )
        registry, store = Registry({}, self.folder / "weights"), VoiceStore(self.database)
        return VoiceService(
            runner,
            self.threads,
            registry,
            ENCODER,
            store,
            AuditLog(self.database),
            rules,
            lambda _: FakeCloner(loads),
        )


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path}/antiphon.db"
    await asyncio.to_thread(migrated, url)
    made = House(url, WorkThreads(2), Database(url), tmp_path, consent("mine"))
    entry = AuditEntry("test", "", "done", {})
    await VoiceStore(made.database).add_consent(made.consent, b"r", SPEAKER, 5, ME, entry)
    yield made
    made.threads.close()
    await made.database.close()


@pytest.mark.parametrize("loads", [False, True])
async def test_a_voice_is_made_and_its_check_leaves_a_row(house: House, *, loads: bool) -> None:
    runner = FakeRunner()
    voice = await house.service(runner, loads=loads).create(ME, "Ann", house.consent.id, CLIP)
    assert (voice.consent, voice.model) == (house.consent.id, MODEL)
    assert runner.calls[:2] == ["admit", "load"]
    assert runner.calls.count("load") == (2 if loads else 1)
    assert [(row.action, row.outcome) for row in audit(house.url, "mine")][1:] == [("voice.create", "passed")]
    assert runner.admission.count == 0


@pytest.mark.parametrize("missing", [ENCODER.id, MODEL])
async def test_weights_that_are_missing_are_told_before_the_work(house: House, missing: str) -> None:
    runner = FakeRunner(missing={missing})
    with pytest.raises(ModelUnavailable):
        await house.service(runner, loads=True).create(ME, "Ann", house.consent.id, CLIP)
    assert set(runner.calls) == {"admit", "load"}
    assert runner.admission.count == 0


async def test_a_cloner_that_needs_no_model_does_not_wait_for_one(house: House) -> None:
    runner = FakeRunner(missing={MODEL})
    assert await house.service(runner).create(ME, "Ann", house.consent.id, CLIP)


async def test_several_speakers_leave_a_row(house: House) -> None:
    with pytest.raises(SeveralSpeakers):
        await house.service(TwoSpeakers()).create(ME, "Ann", house.consent.id, CLIP)
    row = audit(house.url, "mine")[-1]
    assert (row.action, row.outcome) == ("voice.check", "refused")
    assert row.details == {"consent": house.consent.id, "pieces_score": 0.0, "threshold": 0.36}


async def test_another_speaker_leaves_a_row(house: House) -> None:
    other = np.zeros(256, np.float32)
    other[0] = -1.0
    with pytest.raises(SpeakerMismatch):
        await house.service(FakeRunner(speaker=other)).create(ME, "Ann", house.consent.id, CLIP)
    row = audit(house.url, "mine")[-1]
    assert (row.action, row.outcome) == ("voice.check", "refused")
    assert row.details["score"] == -0.0625
