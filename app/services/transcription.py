"""Speech to text: permit, decode, find speech, cut windows, transcribe, in order.

Law: the order of the steps and nothing else. `open` chooses once whether speakers are told apart; both
results have the method `events`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from app.audio.decode import BLOCK_SAMPLES
from app.audio.peaks import PeakMeter
from app.domain import ModelSpec, SpeakerRequest, Transcript, TranscriptionJob
from app.errors import ApiError
from app.logs import note
from app.models.registry import Registry
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.diarization import DiarizationService
from app.services.steps.key_spending import Charge
from app.services.steps.open_transcription import (
    OpenTranscription,
    PlainTranscription,
    SpokenTranscription,
    Who,
)
from app.services.steps.open_upload import Source, open_source
from app.services.steps.transcribe_windows import SharedWork, WindowTranscriber
from engines.types import SAMPLE_RATE, Diarization, Samples, TranscribeOptions

ProgressCallback = Callable[[float, float | None], None]
"""A callback that gets the seconds decoded so far and the seconds that the file claims."""
MOST_LEAD_SECONDS = 180.0
"""The most seconds of decoded sound by which transcription and diarization may be apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionRules:
    """The defaults and the limits of requests."""

    audio_seconds: float
    """The most seconds of one recording."""
    windows_ahead: int
    """The most windows of one request that are transcribed in parallel."""
    seconds_together: float
    """Seconds of sound in work that keep the models busy: of many recordings, each has fewer."""
    window_seconds: float
    """The most seconds of a window."""
    beam_size: int
    """Width of the beam search; 1: greedy decoding."""
    greedy_first: bool
    """Whether to decode greedily first, and use the beam search only if that result is unsure."""

    def held(self, expected: float | None, lead: float) -> float:
        """The most seconds of decoded audio that a request holds: its windows, the block that is being cut,
        and the lead of one reader over the other.
        """
        most = (self.windows_ahead + 1) * self.window_seconds + BLOCK_SAMPLES / SAMPLE_RATE + lead
        return most if expected is None else min(most, expected)


class TranscriptionService:
    """Transcribes and translates."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        registry: Registry,
        diarization: DiarizationService,
        rules: TranscriptionRules,
    ) -> None:
        self._runner = runner
        self._threads = threads
        self._diarization = diarization
        self._registry = registry
        self._rules = rules
        self._together = SharedWork(rules.seconds_together)

    async def open(self, job: TranscriptionJob, file: BinaryIO) -> OpenTranscription:
        """Admits the request and opens its audio. Raises `ApiError`; the caller closes the result."""
        model = self.model(job.model)
        note(served=model.id)
        permit = self._runner.admit()
        try:
            if job.diarize is None:
                opened = await self._plain(model, job, file, permit)
            else:
                opened = await self._spoken(model, job, job.diarize, file, permit)
        except BaseException:
            permit.close()
            raise
        if job.peaks:
            opened.peaks = PeakMeter()
        return opened

    async def transcribe(
        self, job: TranscriptionJob, file: BinaryIO, progress: ProgressCallback | None = None
    ) -> Transcript:
        """The whole transcript of one audio. Raises `ApiError`."""
        opened = await self.open(job, file)
        async with aclosing(opened), aclosing(opened.events()) as events:
            async for _ in events:
                if progress:
                    progress(opened.seconds, opened.expected)
            return opened.transcript()

    def model(self, name: str) -> ModelSpec:
        """The model for a name. Raises `ModelNotFound`, or `InvalidValue` if the model
        does not transcribe.
        """
        return self._registry.resolve(name, "transcription")

    def transcriber(self, model: ModelSpec, job: TranscriptionJob, permit: Permit) -> WindowTranscriber:
        """A transcriber for windows that the caller cuts."""
        options = self._options(job)
        return WindowTranscriber(
            self._runner,
            model,
            job,
            options,
            permit,
            ahead=self._rules.windows_ahead,
            together=self._together,
            longest=self._rules.window_seconds,
        )

    async def _plain(
        self, model: ModelSpec, job: TranscriptionJob, file: BinaryIO, permit: Permit
    ) -> OpenTranscription:
        source, charge = await self._source(file, permit, lead=0.0)
        transcriber = self.transcriber(model, job, permit)
        return PlainTranscription(self._runner, self._threads, source, permit, transcriber, job.vad, charge)

    async def _spoken(
        self,
        model: ModelSpec,
        job: TranscriptionJob,
        wanted: SpeakerRequest,
        file: BinaryIO,
        permit: Permit,
    ) -> OpenTranscription:
        who = await self._who(wanted, permit)
        source, charge = await self._source(file, permit, lead=MOST_LEAD_SECONDS)
        transcriber = self.transcriber(model, job, permit)
        return SpokenTranscription(
            self._runner,
            self._threads,
            source,
            permit,
            transcriber,
            job.vad,
            charge,
            who=who,
            lead=MOST_LEAD_SECONDS,
            text_first=wanted.text_first,
        )

    async def _who(self, wanted: SpeakerRequest, permit: Permit) -> Who:
        """Loads the diarizer, and returns the function that uses it.

        If the text is sent before its speakers are known, a server that cannot load the diarizer still sends
        the text, and the returned function raises the reason afterwards. A mistake in the request is raised
        at once.
        """
        try:
            options = await self._diarization.options(wanted, permit)
        except ApiError as failure:
            if failure.status < 500 or not wanted.text_first:
                raise
            return partial(_nobody, failure)
        return partial(self._diarization.diarize, options=options, permit=permit)

    async def _source(self, file: BinaryIO, permit: Permit, *, lead: float) -> tuple[Source, Charge]:
        """Opens an upload and claims its seconds, from the server and from the key.

        `lead`: seconds of decoded sound that may wait for a second reader.
        """
        limit, cancelled = self._rules.audio_seconds, permit.cancel.is_set
        opening = partial(open_source, self._threads, file, limit=limit, cancelled=cancelled)
        source = await self._threads.run(opening)
        try:
            permit.claim(source.expected or 0.0, self._rules.held(source.expected, lead))
            return source, Charge("heard", source.expected or 0.0)
        except BaseException:
            await self._threads.run(source.close)
            raise

    def _options(self, job: TranscriptionJob) -> TranscribeOptions:
        fallback = TranscribeOptions().temperatures
        return TranscribeOptions(
            beam_size=job.beam_size or self._rules.beam_size,
            greedy_first=self._rules.greedy_first and not job.beam_size,
            temperatures=(job.temperature,) if job.temperature else fallback,
            words=job.words or job.diarize is not None,
            logprobs=job.logprobs,
        )


async def _nobody(failure: ApiError, _: AsyncIterator[Samples]) -> Diarization:
    """Raises the error that says why speakers cannot be told apart."""
    raise failure
