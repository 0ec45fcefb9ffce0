"""Custom voices: a sample becomes one only with a consent of the same speaker.

Law: the order of the steps. What can refuse a request without work comes first, models that cannot be loaded
too; each check of the speaker, passed or not, is an audit row, and the rows of uses are written behind.
"""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

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
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.recordings import chunks, listen, whole_sound
from app.services.steps.uninterrupted_write import finished
from app.store.audit import AuditLog
from app.store.voices import ConsentGone, QuotaReached, VoiceStore
from engines import catalog
from engines.contracts import VoiceCloner
from engines.errors import EngineError
from engines.types import Pcm, Samples, SpeakerSample, Voice, VoiceProfile

PARAM = "audio_sample"
SAMPLE_PIECE_SECONDS = 3.0
"""Seconds of the pieces of speech that are compared with one another."""
LONGEST_SAMPLE = 120.0
"""The most seconds of a sample, including pauses."""
PROFILE_BYTES = 24 * 1024 * 1024
"""The most bytes of disk space that a profile may need."""
NOTHING = Pcm(np.zeros(0, np.float32))
"""Placeholder for cloners that need no loaded model, and so no sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRules:
    """The rules by which a sample is accepted."""

    cloner: str
    """Name of the engine that makes profiles."""
    model: str
    """Model that the cloner works with; empty: its default."""
    threshold: float
    """Least cosine similarity of two recordings of one speaker."""
    one_speaker: float
    """Least cosine similarity of two pieces of one sample."""
    check: Literal["enforce", "warn"]
    """Whether a sample of another speaker is refused, or only noted in the audit."""
    shortest: float
    """The least seconds of speech in a sample."""
    longest: float
    """The most seconds of speech in a sample."""
    quota: int
    """The most voices of a project."""


class VoiceService:
    """Creates, shows and deletes the voices of a project."""

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
        """Makes a voice from a sample and a consent of its speaker. Raises `ApiError` that says what is
        wrong with them.
        """
        consent, owner = await self._consent(caller, consent_id)
        with self._limited():
            await self._store.check_voices(caller.project, self._rules.quota)
        await self._store.check_room(len(sample) + PROFILE_BYTES)
        cloner, model = self._cloner()
        with self._runner.admit() as permit:
            for needed in (self._encoder, *([model] if cloner.LOADS else [])):
                await self._runner.load(needed, permit)
            speaker = await self._speaker(caller, consent, sample, permit)
            outcome, details = await self._judged(caller, consent, similarity(owner, speaker))
            profile = await self._enroll(cloner, model, sample, speaker, consent.language, permit)
        voice = self._voice(name, consent, profile)
        entry = AuditEntry("voice.create", voice.id, outcome, details)
        await self._add(voice, profile.data, sample, caller, entry)
        return voice

    async def list(self, caller: Caller) -> list[CustomVoice]:
        """All voices of the caller's project, newest first."""
        return await self._store.voices(caller.project)

    async def get(self, caller: Caller, voice_id: str) -> CustomVoice:
        """One voice. Raises `VoiceNotFound`."""
        voice = await self._store.voice(caller.project, voice_id)
        if voice is None:
            raise VoiceNotFound(voice_id)
        return voice

    async def delete(self, caller: Caller, voice_id: str) -> None:
        """Deletes a voice. Raises `VoiceNotFound`."""
        if not await self._store.delete_voice(caller.project, voice_id, caller):
            raise VoiceNotFound(voice_id)

    async def to_speak(self, caller: Caller, name: str) -> LocalVoice | None:
        """The voice with this id or name. Its use is noted in the audit later; the request does not wait for
        that.
        """
        stored = await self._store.voice_with_profile(caller.project, name)
        if stored is None:
            return None
        voice, profile = stored
        self._audit.add(caller, AuditEntry("voice.use", voice.id, "done", {}))
        model = replace(self._registry.resolve(voice.model), engine=voice.engine)
        return LocalVoice(Voice(voice.nearest, voice.language), model, profile, voice.id)

    async def _consent(self, caller: Caller, consent_id: str) -> tuple[VoiceConsent, SpeakerVector]:
        """The consent that the voice is made with. Raises `ConsentNotFound` or `ConsentOutdated`."""
        consent = await self._store.consent(caller.project, consent_id)
        owner = await self._store.speaker(caller.project, consent_id)
        if consent is None or owner is None:
            raise ConsentNotFound(consent_id, param="consent")
        if owner.encoder != self._encoder.id:
            raise ConsentOutdated(consent_id)
        return consent, owner

    async def _judged(
        self, caller: Caller, consent: VoiceConsent, score: float
    ) -> tuple[str, dict[str, str | float | bool]]:
        """The outcome and the details for the audit. Raises `SpeakerMismatch` after it has written the row of
        the refusal.
        """
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
        return "passed" if passed else "warned", details

    async def _speaker(
        self, caller: Caller, consent: VoiceConsent, sample: bytes, permit: Permit
    ) -> SpeakerVector:
        """The speaker vector of the sample. Raises `InvalidValue`, or `SeveralSpeakers` after it has written
        the row of the refusal.
        """
        rules = self._rules
        heard = await listen(self._runner, self._threads, io.BytesIO(sample), LONGEST_SAMPLE, permit, PARAM)
        seconds = heard.speech.seconds
        if not rules.shortest <= seconds <= rules.longest:
            raise InvalidValue(
                f"The sample has {seconds:.1f} seconds of speech; {rules.shortest:g} to {rules.longest:g} "
                "are needed.",
                param=PARAM,
            )
        pieces = [
            await self._embed(Pcm(piece), permit) for piece in chunks(heard.speech, SAMPLE_PIECE_SECONDS)
        ]
        if len(pieces) > 1 and (least := _least_similarity(pieces)) < rules.one_speaker:
            details: dict[str, str | float | bool] = {
                "consent": consent.id,
                "pieces_score": round(least, 4),
                "threshold": rules.one_speaker,
            }
            await self._store.note(caller, AuditEntry("voice.check", "", "refused", details))
            raise SeveralSpeakers
        return SpeakerVector(self._encoder.id, await self._embed(heard.speech, permit))

    async def _embed(self, sound: Pcm, permit: Permit) -> Samples:
        return await self._runner.embed(self._encoder, sound, permit)

    def _cloner(self) -> tuple[VoiceCloner, ModelSpec]:
        """The cloner of the settings, and the model that speaks with its profiles. Raises `ApiError`."""
        try:
            cloner = self._cloners(self._rules.cloner)
        except EngineError as failure:
            raise from_engine(failure) from failure
        model = self._registry.resolve(self._rules.model or cloner.MODEL)
        return cloner, replace(model, engine=cloner.ENGINE)

    async def _enroll(
        self,
        cloner: VoiceCloner,
        model: ModelSpec,
        data: bytes,
        speaker: SpeakerVector,
        language: str,
        permit: Permit,
    ) -> VoiceProfile:
        try:
            if not cloner.LOADS:
                sample = SpeakerSample(NOTHING, speaker.values, language)
                return await self._threads.run(partial(cloner.enroll, sample, None))
            sound = await whole_sound(self._threads, data, LONGEST_SAMPLE, cloner.RATE, permit, PARAM)
            sample = SpeakerSample(sound, speaker.values, language)
            return await self._runner.enroll(model, self._rules.cloner, sample, permit)
        except EngineError as failure:
            raise from_engine(failure) from failure

    def _voice(self, name: str, consent: VoiceConsent, profile: VoiceProfile) -> CustomVoice:
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
        adding = self._store.add_voice(voice, profile, sample, self._rules.quota, caller, entry)
        with self._limited():
            try:
                await finished(adding, voice.id)
            except ConsentGone:
                raise ConsentNotFound(voice.consent, param="consent") from None

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Raises `VoiceLimit` in place of the store's `QuotaReached`."""
        try:
            yield
        except QuotaReached:
            raise VoiceLimit(self._rules.quota) from None


def _least_similarity(vectors: Sequence[Samples]) -> float:
    """The least cosine similarity of two of the vectors."""
    stacked = np.stack(vectors)
    return float((stacked @ stacked.T).min())


def similarity(one: SpeakerVector, other: SpeakerVector) -> float:
    """Cosine similarity, -1 to 1. Only vectors of the same encoder may be compared."""
    assert one.encoder == other.encoder
    return float(np.dot(one.values, other.values))
