"""Diarization of a recording: learns known speakers from their clips, and finds the turns.

Law: the order of the steps. Every clip is checked before the audio is touched; errors name its index.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from app.domain import ModelSpec, SpeakerReference, SpeakerRequest
from app.errors import ApiError, AudioTooLong, InvalidValue, SeveralSpeakers, from_engine
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.recordings import chunks, listen
from engines.errors import EngineError
from engines.types import Diarization, DiarizeOptions, KnownSpeaker, Pcm, Samples

PARAM = "known_speaker_references"
SHORTEST_CLIP, LONGEST_CLIP = 2.0, 10.0
"""Seconds of the shortest and the longest clip of a known speaker; the bounds are OpenAI's."""
CLIP_TOLERANCE = 0.05
"""Tolerance of these bounds in seconds, because audio codecs add or cut a little."""
LEAST_CLIP_SECONDS = 1.0
"""Seconds of speech that a clip must have."""
CLIP_PIECE_SECONDS = 1.5
"""Each clip is divided into pieces of so many seconds; if two of them differ too much, it
has two speakers.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerRules:
    """The rules by which clips of known speakers are accepted."""

    one_speaker: float
    """Least cosine similarity of two pieces of a clip; below it, they are of two speakers."""


class DiarizationService:
    """Diarizes audio with one model."""

    def __init__(self, runner: Runner, threads: WorkThreads, model: ModelSpec, rules: SpeakerRules) -> None:
        self._runner = runner
        self._threads = threads
        self._model = model
        self._rules = rules

    async def options(self, wanted: SpeakerRequest, permit: Permit) -> DiarizeOptions:
        """Loads the model and learns the known speakers. Raises `ApiError`."""
        await self._runner.load(self._model, permit)
        known = [
            await self._known(index, reference, permit) for index, reference in enumerate(wanted.references)
        ]
        return DiarizeOptions(
            speakers=wanted.speakers, least=wanted.least, most=wanted.most, known=tuple(known)
        )

    async def diarize(
        self, blocks: AsyncIterator[Samples], options: DiarizeOptions, permit: Permit
    ) -> Diarization:
        """Who spoke when in all `blocks` of an audio, of any length each. Raises `ApiError`."""
        try:
            return await self._runner.diarize(self._model, blocks, options, permit)
        except EngineError as failure:
            raise from_engine(failure) from failure

    async def _known(self, index: int, reference: SpeakerReference, permit: Permit) -> KnownSpeaker:
        try:
            return KnownSpeaker(reference.name, await self._vector(reference.audio, permit))
        except ApiError as wrong:
            if wrong.status >= 500 or wrong.status == 408:
                raise
            raise InvalidValue(f"{PARAM}[{index}]: {wrong.message}", param=PARAM, code=wrong.code) from None

    async def _vector(self, audio: bytes, permit: Permit) -> Samples:
        try:
            heard = await listen(
                self._runner, self._threads, io.BytesIO(audio), LONGEST_CLIP + CLIP_TOLERANCE, permit, PARAM
            )
        except AudioTooLong:
            raise InvalidValue(f"The clip is longer than {LONGEST_CLIP:g} seconds.", param=PARAM) from None
        if heard.sound.seconds < SHORTEST_CLIP - CLIP_TOLERANCE:
            raise InvalidValue(
                f"The clip has {heard.sound.seconds:.1f} seconds; "
                f"{SHORTEST_CLIP:g} to {LONGEST_CLIP:g} are needed.",
                param=PARAM,
            )
        if heard.speech.seconds < LEAST_CLIP_SECONDS:
            raise InvalidValue(
                f"The clip has {heard.speech.seconds:.1f} seconds of speech; "
                f"{LEAST_CLIP_SECONDS:g} is needed at least.",
                param=PARAM,
            )
        pieces = [
            await self._runner.know(self._model, Pcm(piece), permit)
            for piece in chunks(heard.speech, CLIP_PIECE_SECONDS)
        ]
        if len(pieces) > 1 and float((np.stack(pieces) @ np.stack(pieces).T).min()) < self._rules.one_speaker:
            raise SeveralSpeakers
        return await self._runner.know(self._model, heard.speech, permit)
