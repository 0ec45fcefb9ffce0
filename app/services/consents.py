"""Consents: a recording becomes one only if it says the phrase.

Law: the order of the steps. What can refuse a request without work comes first, models that cannot be loaded
too; one permit, one decoding and one speech detection serve all checks; each comparison with the phrase,
passed or not, is an audit row.
"""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

from app.domain import (
    AuditEntry,
    Caller,
    ModelSpec,
    SpeakerVector,
    TranscriptionJob,
    VadOptions,
    VoiceConsent,
)
from app.errors import ConsentLimit, ConsentNotFound, InvalidValue, PhraseNotHeard
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.detect_and_cut import cut_recording
from app.services.steps.recordings import Recording, listen
from app.services.steps.uninterrupted_write import finished
from app.services.transcription import TranscriptionService
from app.store.voices import QuotaReached, VoiceStore
from app.text.consent_phrases import PHRASES, PhraseMatch, match, phrase_language

Check = Literal["enforce", "warn"]
LONGEST_RECORDING = 60.0
"""The most seconds of a recording; reading the phrase takes about ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRules:
    """The rules by which a recording is accepted."""

    organisation: str
    """The organisation that the phrase names."""
    threshold: float
    """Share of the phrase's letters that must be heard, 0..1."""
    check: Check
    """Whether a recording that does not say the phrase is refused, or only noted in the audit."""
    model: str
    """Name of the transcription model."""
    quota: int
    """The most consents of a project."""


class ConsentService:
    """Creates, shows, renames and deletes the consents of a project."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        transcription: TranscriptionService,
        encoder: ModelSpec,
        store: VoiceStore,
        rules: ConsentRules,
    ) -> None:
        self._runner = runner
        self._threads = threads
        self._transcription = transcription
        self._encoder = encoder
        self._store = store
        self._rules = rules

    async def create(self, caller: Caller, name: str, language: str, recording: bytes) -> VoiceConsent:
        """Makes a consent from a recording that says the phrase. `language`: BCP 47. Raises `ApiError`; a
        `PhraseNotHeard` says what was heard and what was expected.
        """
        spoken = _phrase_language(language)
        model = self._transcription.model(self._rules.model)
        with self._limited():
            await self._store.check_consents(caller.project, self._rules.quota)
        await self._store.check_room(len(recording))
        consent = VoiceConsent(
            f"cons_{secrets.token_hex(16)}", caller.project, name, language, int(time.time())
        )
        with self._runner.admit() as permit:
            for needed in (self._encoder, model):
                await self._runner.load(needed, permit)
            file = io.BytesIO(recording)
            heard = await listen(self._runner, self._threads, file, LONGEST_RECORDING, permit, "recording")
            if not len(heard.speech.samples):
                raise InvalidValue("Nobody speaks in the recording.", param="recording")
            phrase = await self._matched(model, heard, spoken, permit)
            entry = await self._judged(caller, consent, phrase)
            vector = await self._runner.embed(self._encoder, heard.speech, permit)
        speaker = SpeakerVector(self._encoder.id, vector)
        adding = self._store.add_consent(consent, recording, speaker, self._rules.quota, caller, entry)
        with self._limited():
            await finished(adding, consent.id)
        return consent

    async def list(self, caller: Caller, after: str | None, limit: int) -> tuple[list[VoiceConsent], bool]:
        """One page of the consents, newest first, and whether more follow."""
        return await self._store.consents(caller.project, after, limit)

    async def get(self, caller: Caller, consent_id: str) -> VoiceConsent:
        """One consent. Raises `ConsentNotFound`."""
        consent = await self._store.consent(caller.project, consent_id)
        if consent is None:
            raise ConsentNotFound(consent_id)
        return consent

    async def rename(self, caller: Caller, consent_id: str, name: str) -> VoiceConsent:
        """Gives a consent another name. Raises `ConsentNotFound`."""
        consent = await self._store.rename_consent(caller.project, consent_id, name, caller)
        if consent is None:
            raise ConsentNotFound(consent_id)
        return consent

    async def delete(self, caller: Caller, consent_id: str) -> None:
        """Deletes the consent and all its voices in one transaction. Raises `ConsentNotFound`."""
        if not await self._store.delete_consent(caller.project, consent_id, caller):
            raise ConsentNotFound(consent_id)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Raises `ConsentLimit` in place of the store's `QuotaReached`."""
        try:
            yield
        except QuotaReached:
            raise ConsentLimit(self._rules.quota) from None

    async def _matched(
        self, model: ModelSpec, recording: Recording, language: str, permit: Permit
    ) -> PhraseMatch:
        """Transcribes the recording and compares the text with the phrase."""
        vad = VadOptions()
        job = TranscriptionJob(model=self._rules.model, language=language, vad=vad)
        transcriber = self._transcription.transcriber(model, job, permit)
        async with aclosing(
            transcriber.segments(cut_recording(recording, vad, transcriber.longest))
        ) as windows:
            async for _ in windows:
                pass
        text = transcriber.transcript(recording.sound.seconds).text
        return await self._threads.run(partial(match, text, language, self._rules.organisation))

    async def _judged(self, caller: Caller, consent: VoiceConsent, phrase: PhraseMatch) -> AuditEntry:
        """The audit row of an accepted consent. Raises `PhraseNotHeard` after it has written the row of the
        refusal.
        """
        passed = phrase.score >= self._rules.threshold and not phrase.negated
        details: dict[str, str | float | bool] = {
            "heard": phrase.heard,
            "score": round(phrase.score, 4),
            "threshold": self._rules.threshold,
            "negated": phrase.negated,
            "check": self._rules.check,
        }
        if not passed and self._rules.check == "enforce":
            await self._store.note(caller, AuditEntry("consent.check", "", "refused", details))
            raise PhraseNotHeard(phrase.heard, phrase.expected)
        return AuditEntry("consent.create", consent.id, "passed" if passed else "warned", details)


def _phrase_language(tag: str) -> str:
    """The language of the phrase for a tag. Raises `InvalidValue` that lists the languages with a phrase."""
    language = phrase_language(tag)
    if language is None:
        known = ", ".join(sorted(PHRASES))
        raise InvalidValue(
            f"There is no consent phrase in '{tag[:40]}'. Languages that have one: {known}.",
            param="language",
        )
    return language
