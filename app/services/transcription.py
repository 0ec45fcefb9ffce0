"""Speech to text: permit, decode, find speech, cut windows, transcribe, in order.

Law: the order of the steps and nothing else. Windows are decoded ahead of the model, a bounded number of
them, so memory does not grow with the length of the audio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, BinaryIO

from app.audio.decode import BLOCK, AudioSource, open_audio
from app.audio.shared import SharedFile
from app.audio.windows import Cut, CutRules
from app.domain import ModelSpec, SpeakersWanted, SpokenSegment, Transcript, TranscriptionJob
from app.errors import ApiError, RequestTimedOut, from_engine
from app.models.registry import Registry
from app.runtime.admission import Permit
from app.runtime.runner import Runner, check_kind
from app.runtime.threads import WorkThreads
from app.services.diarization import DiarizationService
from app.services.steps.cutting import cuts
from app.services.steps.speakers import SpeakerJoiner
from engines.errors import EngineError
from engines.types import (
    SAMPLE_RATE,
    Diarization,
    LanguageGuess,
    Pcm,
    Segment,
    TranscribeOptions,
    Window,
    WindowResult,
)

Progress = Callable[[float, float | None], None]
"""Told the seconds decoded so far and the seconds that the file claims."""


@dataclass(frozen=True, slots=True)
class TranscriptionRules:
    """How audio is transcribed where a request does not say, and what it may cost."""

    audio_seconds: float
    """Of one audio at most."""
    windows_ahead: int
    """Windows of one request that are in work at once."""
    beam: int
    greedy_first: bool
    """Whether a beam is used only where decoding without one is unsure."""

    def held(self, expected: float | None) -> float:
        """Seconds of decoded audio that a request holds at most: its windows, and what is being cut."""
        most = (self.windows_ahead + 1) * CutRules().longest + BLOCK / SAMPLE_RATE
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

    async def open(self, job: TranscriptionJob, file: BinaryIO) -> OpenTranscription:
        """Admits the request and opens its audio. Raises `ApiError`; whoever gets the result closes it."""
        model = self._registry.resolve(job.model)
        check_kind(model, "transcription")
        permit = self._runner.admit()
        try:
            if job.diarize is None:
                source = await self._source(file, permit)
                return OpenTranscription(
                    self._runner, self._threads, model, job, self._options(job), permit, source, self._rules
                )
            return await self._open_with_speakers(model, job, job.diarize, permit, SharedFile(file))
        except BaseException:
            permit.close()
            raise

    async def _open_with_speakers(
        self,
        model: ModelSpec,
        job: TranscriptionJob,
        wanted: SpeakersWanted,
        permit: Permit,
        file: SharedFile,
    ) -> OpenTranscription:
        options = await self._diarization.options(wanted, permit)
        source = await self._source(file.view(), permit)
        opened = OpenTranscription(
            self._runner, self._threads, model, job, self._options(job), permit, source, self._rules
        )
        try:
            second = await self._source(file.view(), permit, again=True)
        except BaseException:
            await opened.aclose()
            raise
        opened.ask_who(second, self._diarization.diarize(second, options, permit))
        return opened

    async def _source(self, file: BinaryIO, permit: Permit, *, again: bool = False) -> AudioSource:
        """`again`: the same audio, for another reader, who keeps none of it. Raises `ApiError`."""
        source = await self._threads.run(
            lambda: open_audio(file, limit=self._rules.audio_seconds, cancelled=permit.cancel.is_set),
        )
        try:
            if not again:
                permit.claim(source.expected or 0.0, self._rules.held(source.expected))
        except ApiError:
            await self._threads.run(source.close)
            raise
        return source

    async def transcribe(
        self, job: TranscriptionJob, file: BinaryIO, progress: Progress | None = None
    ) -> Transcript:
        """The whole transcript of one audio. Raises `ApiError`."""
        opened = await self.open(job, file)
        async with aclosing(opened):
            async for _ in opened.spoken() if job.diarize else opened.segments():
                if progress:
                    progress(opened.seconds, opened.expected)
            return opened.transcript()

    def _options(self, job: TranscriptionJob) -> TranscribeOptions:
        ladder = TranscribeOptions().temperatures
        return TranscribeOptions(
            beam_size=job.beam_size or self._rules.beam,
            greedy_first=self._rules.greedy_first and not job.beam_size,
            temperatures=(job.temperature,) if job.temperature else ladder,
            words=job.words or job.diarize is not None,
            logprobs=job.logprobs,
        )


class OpenTranscription:
    """One audio on its way: iterate `segments` once, then ask for the `transcript`."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        model: ModelSpec,
        job: TranscriptionJob,
        options: TranscribeOptions,
        permit: Permit,
        source: AudioSource,
        rules: TranscriptionRules,
    ) -> None:
        self._runner = runner
        self._threads = threads
        self._model = model
        self._job = job
        self._options = options
        self._permit = permit
        self._source = source
        self._ahead = rules.windows_ahead
        self._language = LanguageGuess(job.language, 1.0) if job.language else None
        self._found: list[Segment] = []
        self._spoken: list[SpokenSegment] = []
        self._prompt_tokens = 0
        self._done = 0.0
        self._who: Coroutine[Any, Any, Diarization] | None = None
        self._second: AudioSource | None = None

    def ask_who(self, source: AudioSource, work: Coroutine[Any, Any, Diarization]) -> None:
        """`work` finds who speaks; `source`: the same audio, opened for it and closed with this."""
        self._second, self._who = source, work

    @property
    def seconds(self) -> float:
        """Seconds decoded so far."""
        return self._source.seconds

    @property
    def expected(self) -> float | None:
        """Seconds that the file claims to have."""
        return self._source.expected

    def transcript(self) -> Transcript:
        """Everything found so far."""
        return Transcript(
            task=self._job.task,
            language=self._language,
            duration=self._source.seconds,
            segments=tuple(self._found),
            prompt_tokens=self._prompt_tokens,
            spoken=tuple(self._spoken) if self._job.diarize else None,
        )

    async def segments(self) -> AsyncGenerator[tuple[Segment, ...], None]:
        """The segments of each window, in order, as soon as they are there. Raises `ApiError`."""
        try:
            async with aclosing(self._results()) as results:
                async for result in results:
                    self._found += result.segments
                    self._prompt_tokens = max(self._prompt_tokens, result.prompt_tokens)
                    yield result.segments
        except EngineError as failure:
            raise from_engine(failure) from failure
        if self._permit.cancel.late:
            raise RequestTimedOut

    async def spoken(self) -> AsyncGenerator[tuple[SpokenSegment, ...], None]:
        """What is said and by whom, in order, once all speakers are known. Raises `ApiError`.

        Speakers are found beside the transcription: both begin at once. Until they are known, each window
        that is transcribed gives an empty tuple, so that callers can tell that work goes on.
        """
        assert self._who
        who = asyncio.create_task(self._who)
        self._who = None
        try:
            async with aclosing(self._joined(who)) as groups:
                async for group in groups:
                    self._spoken += group
                    yield tuple(group)
        finally:
            who.cancel()
            await asyncio.gather(who, return_exceptions=True)

    async def _joined(self, who: asyncio.Task[Diarization]) -> AsyncGenerator[list[SpokenSegment], None]:
        waiting: list[Segment] = []
        joiner: SpeakerJoiner | None = None
        async with aclosing(self.segments()) as windows:
            async for segments in windows:
                waiting += segments
                if not who.done():
                    yield []
                    continue
                joiner = joiner or SpeakerJoiner(who.result())
                yield joiner.feed(waiting)
                waiting = []
        joiner = joiner or SpeakerJoiner(await who)
        yield joiner.feed(waiting)
        yield joiner.flush()

    async def aclose(self) -> None:
        """Stops all work for this audio and gives its place back."""
        self._permit.close()
        if self._who:
            self._who.close()
        for source in filter(None, (self._source, self._second)):
            await self._threads.run(source.close)

    async def _results(self) -> AsyncGenerator[WindowResult, None]:
        """Results in the order of their windows, a bounded number of windows in work at once."""
        running: deque[tuple[asyncio.Task[WindowResult], float]] = deque()
        try:
            async with aclosing(
                self._threads.iterate(cuts(self._source, self._job.vad, self._runner))
            ) as made:
                async for cut in made:
                    running.append((asyncio.create_task(self._transcribe(cut)), cut.end))
                    # The first window finds the language that the others are told.
                    while len(running) >= (self._ahead if self._language else 1):
                        yield await self._finished(*running.popleft())
            while running:
                yield await self._finished(*running.popleft())
        finally:
            for task, _ in running:
                task.cancel()
            await asyncio.gather(*(task for task, _ in running), return_exceptions=True)

    async def _finished(self, task: asyncio.Task[WindowResult], end: float) -> WindowResult:
        """`end`: of its window, in seconds."""
        result = await task
        self._permit.worked(end - self._done)
        self._done = end
        if not self._found and result.segments:  # an English-only model hears English whatever is asked
            self._language = result.language
        return result

    async def _transcribe(self, cut: Cut) -> WindowResult:
        window = Window(
            Pcm(cut.samples),
            start=cut.start,
            language=self._language.code if self._language else None,
            task=self._job.task,
            prompt=self._job.prompt,
            hotwords=self._job.hotwords,
        )
        return await self._runner.transcribe(self._model, window, self._options, self._permit)
