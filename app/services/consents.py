"""Consents: a recording becomes one only if it says the phrase.

Law: the order of the steps; every outcome, refusals too, is an audit row.
"""

from __future__ import annotations

import io
import secrets
import time
from dataclasses import dataclass
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
from app.errors import ConsentNotFound, InvalidValue, PhraseNotHeard
from app.runtime.runner import Runner
from app.runtime.threads import WorkThreads
from app.services.steps.recordings import listen
from app.services.transcription import TranscriptionService
from app.store.voices import VoiceStore
from app.text.phrases import PHRASES, PhraseMatch, expected_phrase, match

Check = Literal["enforce", "warn"]
LONGEST = 60.0
"""Seconds of a recording; the phrase takes ten."""


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """How a recording is judged."""

    organisation: str
    threshold: float
    """Share of the phrase's letters that must be heard, 0..1."""
    check: Check
    model: str
    """Transcription model."""


class ConsentService:
    """Makes, shows, renames and deletes consents of a project."""

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
        """Raises `ApiError`; `PhraseNotHeard` says what was heard and what was expected."""
        if expected_phrase(language, self._rules.organisation) is None:
            known = ", ".join(sorted(PHRASES))
            raise InvalidValue(
                f"There is no consent phrase in '{language[:40]}'. Languages that have one: {known}.",
                param="language",
            )
        await self._store.check_room(len(recording))
        with self._runner.admit() as permit:
            heard = await listen(
                self._runner, self._threads, io.BytesIO(recording), LONGEST, permit, "recording"
            )
            if not len(heard.speech.samples):
                raise InvalidValue("Nobody speaks in the recording.", param="recording")
            speaker = await self._runner.embed(self._encoder, heard.speech, permit)
        found = await self._matched(recording, language)
        passed = found.score >= self._rules.threshold and not found.negated
        consent_id = f"cons_{secrets.token_hex(16)}"
        details: dict[str, str | float | bool] = {
            "heard": found.heard,
            "score": round(found.score, 4),
            "threshold": self._rules.threshold,
            "negated": found.negated,
            "check": self._rules.check,
        }
        if not passed and self._rules.check == "enforce":
            await self._store.note(caller, AuditEntry("consent.check", "", "refused", details))
            raise PhraseNotHeard(found.heard, found.expected)
        consent = VoiceConsent(
            consent_id,
            caller.project,
            name,
            language,
            int(time.time()),
        )
        entry = AuditEntry("consent.create", consent_id, "passed" if passed else "warned", details)
        await self._store.add_consent(
            consent, recording, SpeakerVector(self._encoder.id, speaker), caller, entry
        )
        return consent

    async def list(self, caller: Caller, after: str | None, limit: int) -> tuple[list[VoiceConsent], bool]:
        """A page, newest first, and whether there are more."""
        return await self._store.consents(caller.project, after, limit)

    async def get(self, caller: Caller, consent_id: str) -> VoiceConsent:
        """Raises `ConsentNotFound`."""
        found = await self._store.consent(caller.project, consent_id)
        if found is None:
            raise ConsentNotFound(consent_id)
        return found

    async def rename(self, caller: Caller, consent_id: str, name: str) -> VoiceConsent:
        """Raises `ConsentNotFound`."""
        found = await self._store.rename_consent(caller.project, consent_id, name, caller)
        if found is None:
            raise ConsentNotFound(consent_id)
        return found

    async def delete(self, caller: Caller, consent_id: str) -> None:
        """With all voices made from it, at once. Raises `ConsentNotFound`."""
        if not await self._store.delete_consent(caller.project, consent_id, caller):
            raise ConsentNotFound(consent_id)

    async def _matched(self, recording: bytes, language: str) -> PhraseMatch:
        job = TranscriptionJob(self._rules.model, language=language[:2].lower(), vad=VadOptions())
        transcript = await self._transcription.transcribe(job, io.BytesIO(recording))
        return match(transcript.text, language, self._rules.organisation)
