"""Custom voices: a sample becomes one only with a consent of the same speaker.

Law: the order of the steps; every outcome, refusals too, is an audit row.
"""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from app.audio.decode import open_audio
from app.domain import (
    VOICE_ID,
    AuditEntry,
    Caller,
    CustomVoice,
    LocalVoice,
    ModelSpec,
    SpeakerVector,
    VoiceConsent,
)
from app.errors import (
    ConsentNotFound,
    ConsentOutdated,
    InvalidValue,
    SeveralSpeakers,
    SpeakerMismatch,
    VoiceLimit,
    VoiceNotFound,
    from_engine,
)
from app.models.registry import Registry
from app.runtime.admission import Permit
from app.runtime.runner import Runner
from app.runtime.threads import WorkThreads
from app.services.steps.recordings import chunks, listen
from app.store.audit import AuditLog
from app.store.voices import ConsentGone, QuotaReached, VoiceStore
from engines import catalog
from engines.contracts import VoiceCloner
from engines.errors import EngineError
from engines.types import Pcm, Samples, SpeakerSample, Voice, VoiceProfile

PIECE = 3.0
"""Seconds of speech that a speaker is known by."""
LONGEST = 120.0
"""Seconds of a sample, pauses and all."""
PROFILE_BYTES = 24 * 1024 * 1024
"""Room on disk that a profile may need."""
NOTHING = Pcm(np.zeros(0, np.float32))
"""The sound that a cloner gets which asks for none."""


@dataclass(frozen=True, slots=True)
class VoiceRules:
    """How a sample is judged."""

    cloner: str
    model: str
    """That the cloner works with; empty: its own."""
    threshold: float
    """Cosine from which two recordings are one speaker's."""
    one_speaker: float
    """Cosine under which two stretches of a sample are not."""
    check: Literal["enforce", "warn"]
    shortest: float
    """Seconds of speech."""
    longest: float
    """Seconds of speech."""
    quota: int
    """Voices of a project."""


class VoiceService:
    """Makes, shows and deletes the voices of a project."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        registry: Registry,
        encoder: ModelSpec,
        store: VoiceStore,
        audit: AuditLog,
        rules: VoiceRules,
        cloners: Callable[[str], VoiceCloner] = catalog.voice_cloner,
    ) -> None:
        self._runner = runner
        self._threads = threads
        self._registry = registry
        self._encoder = encoder
        self._store = store
        self._audit = audit
        self._rules = rules
        self._cloners = cloners

    async def create(self, caller: Caller, name: str, consent_id: str, sample: bytes) -> CustomVoice:
        """Raises `ApiError` that says what is wrong with the sample."""
        consent = await self._store.consent(caller.project, consent_id)
        owner = await self._store.speaker(caller.project, consent_id)
        if consent is None or owner is None:
            raise ConsentNotFound(consent_id, param="consent")
        if owner.encoder != self._encoder.id:
            raise ConsentOutdated(consent_id)
        await self._store.check_room(len(sample) + PROFILE_BYTES)
        with self._runner.admit() as permit:
            speaker = await self._speaker(io.BytesIO(sample), permit)
            return await self._verified(caller, name, consent, owner, sample, speaker, permit)

    async def _verified(
        self,
        caller: Caller,
        name: str,
        consent: VoiceConsent,
        owner: SpeakerVector,
        sample: bytes,
        speaker: SpeakerVector,
        permit: Permit,
    ) -> CustomVoice:
        """The voice, if the sample's speaker is the consent's."""
        score = similarity(owner, speaker)
        passed = score >= self._rules.threshold
        details: dict[str, str | float | bool] = {
            "consent": consent.id,
            "score": round(score, 4),
            "threshold": self._rules.threshold,
            "check": self._rules.check,
        }
        if not passed and self._rules.check == "enforce":
            await self._store.note(caller, AuditEntry("voice.check", "", "refused", details))
            raise SpeakerMismatch(score, self._rules.threshold)
        profile = await self._enroll(sample, speaker.values, consent.language, permit)
        voice = self._made(name, consent, profile)
        entry = AuditEntry("voice.create", voice.id, "passed" if passed else "warned", details)
        await self._add(voice, profile.data, sample, caller, entry)
        return voice

    async def list(self, caller: Caller) -> list[CustomVoice]:
        """Newest first."""
        return await self._store.voices(caller.project)

    async def get(self, caller: Caller, voice_id: str) -> CustomVoice:
        """Raises `VoiceNotFound`."""
        found = await self._store.voice(caller.project, voice_id)
        if found is None:
            raise VoiceNotFound(voice_id)
        return found

    async def delete(self, caller: Caller, voice_id: str) -> None:
        """Raises `VoiceNotFound`."""
        if not await self._store.delete_voice(caller.project, voice_id, caller):
            raise VoiceNotFound(voice_id)

    async def to_speak(self, caller: Caller, name: str) -> LocalVoice | None:
        """The voice behind an id or the project's own name for it. That it was used is written behind."""
        found = await self._store.voice_with_profile(caller.project, name)
        if found is None:
            return None
        made, profile = found
        self._audit.add(caller, AuditEntry("voice.use", made.id, "done", {}))
        model = replace(self._registry.resolve(made.model), engine=made.engine)
        return LocalVoice(Voice(made.nearest, made.language), model, profile, made.id)

    async def _speaker(self, file: io.BytesIO, permit: Permit) -> SpeakerVector:
        rules = self._rules
        heard = await listen(self._runner, self._threads, file, LONGEST, permit, "audio_sample")
        seconds = heard.speech.seconds
        if not rules.shortest <= seconds <= rules.longest:
            raise InvalidValue(
                f"The sample has {seconds:.1f} seconds of speech; {rules.shortest:g} to {rules.longest:g} "
                "are needed.",
                param="audio_sample",
            )
        pieces = [await self._embed(Pcm(piece), permit) for piece in chunks(heard.speech, PIECE)]
        if len(pieces) > 1 and float((np.stack(pieces) @ np.stack(pieces).T).min()) < rules.one_speaker:
            raise SeveralSpeakers
        return SpeakerVector(self._encoder.id, await self._embed(heard.speech, permit))

    async def _embed(self, sound: Pcm, permit: Permit) -> Samples:
        return await self._runner.embed(self._encoder, sound, permit)

    async def _enroll(self, data: bytes, speaker: Samples, language: str, permit: Permit) -> VoiceProfile:
        try:
            cloner = self._cloners(self._rules.cloner)
            if not cloner.LOADS:
                silent = SpeakerSample(NOTHING, speaker, language)
                return await self._threads.run(lambda: cloner.enroll(silent, None))
            sound = await self._sound(data, cloner.RATE, permit)
            model = replace(self._registry.resolve(self._rules.model or cloner.MODEL), engine=cloner.ENGINE)
            sample = SpeakerSample(sound, speaker, language)
            return await self._runner.enroll(model, self._rules.cloner, sample, permit)
        except EngineError as failure:
            raise from_engine(failure) from failure

    async def _sound(self, data: bytes, rate: int, permit: Permit) -> Pcm:
        """The whole sample at another rate than the one that it was checked at."""

        def decode() -> Pcm:
            source = open_audio(io.BytesIO(data), limit=LONGEST, cancelled=permit.cancel.is_set, rate=rate)
            try:
                return Pcm(np.concatenate([np.zeros(0, np.float32), *source.blocks()]), rate)
            finally:
                source.close()

        return await self._threads.run(decode)

    def _made(self, name: str, consent: VoiceConsent, profile: VoiceProfile) -> CustomVoice:
        return CustomVoice(
            id=f"{VOICE_ID}{secrets.token_hex(16)}",
            project=consent.project,
            name=name,
            consent=consent.id,
            language=consent.language,
            cloner=self._rules.cloner,
            engine=profile.engine,
            model=self._rules.model or self._cloners(self._rules.cloner).MODEL,
            nearest=profile.voice,
            similarity=profile.similarity,
            created=int(time.time()),
        )

    async def _add(
        self, voice: CustomVoice, profile: bytes, sample: bytes, caller: Caller, entry: AuditEntry
    ) -> None:
        try:
            await self._store.add_voice(voice, profile, sample, self._rules.quota, caller, entry)
        except ConsentGone:
            raise ConsentNotFound(voice.consent, param="consent") from None
        except QuotaReached:
            raise VoiceLimit(self._rules.quota) from None


def similarity(one: SpeakerVector, other: SpeakerVector) -> float:
    """Cosine, -1 to 1. Only vectors of one encoder may be compared."""
    assert one.encoder == other.encoder
    return float(np.dot(one.values, other.values))
