"""Speech to text: permit, decode, find speech, cut windows, transcribe, in order.

Law: the order of the steps and nothing else. Windows are decoded ahead of the model, a bounded number of
them, so memory does not grow with the length of the audio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from app.audio.decode import AudioSource, open_audio
from app.audio.windows import FRAME, Cut, CutRules, WindowCutter
from app.domain import ModelSpec, Transcript, TranscriptionJob
from app.errors import RequestTimedOut, from_engine
from app.runtime.admission import Permit
from app.runtime.bridge import on_thread, on_threads
from app.runtime.registry import Registry
from app.runtime.runner import Runner, check_kind
from engines.contracts import SpeechStream
from engines.errors import EngineError
from engines.types import (
    LanguageGuess,
    Pcm,
    Samples,
    Segment,
    TranscribeOptions,
    Window,
    WindowResult,
)

Progress = Callable[[float, float | None], None]
"""Told the seconds decoded so far and the seconds that the file claims."""


@dataclass(frozen=True, slots=True)
class TranscriptionLimits:
    """What one audio may cost."""

    audio_seconds: float
    windows_ahead: int


class TranscriptionService:
    """Transcribes and translates."""

    def __init__(self, runner: Runner, registry: Registry, limits: TranscriptionLimits, beam: int) -> None:
        """`beam`: beams where a job does not say."""
        self._runner = runner
        self._registry = registry
        self._limits = limits
        self._beam = beam

    async def open(self, job: TranscriptionJob, file: BinaryIO) -> OpenTranscription:
        """Admits the request and opens its audio. Raises `ApiError`; whoever gets the result closes it."""
        model = self._registry.resolve(job.model)
        check_kind(model, "transcription")
        permit = self._runner.admit()
        try:
            source = await on_thread(
                self._runner.decoders,
                lambda: open_audio(file, limit=self._limits.audio_seconds, cancelled=permit.cancel.is_set),
            )
        except BaseException:
            permit.close()
            raise
        return OpenTranscription(self._runner, model, job, self._options(job), permit, source, self._limits)

    async def transcribe(
        self, job: TranscriptionJob, file: BinaryIO, progress: Progress | None = None
    ) -> Transcript:
        """The whole transcript of one audio. Raises `ApiError`."""
        opened = await self.open(job, file)
        async with aclosing(opened):
            async for _ in opened.segments():
                if progress:
                    progress(opened.seconds, opened.expected)
            return opened.transcript()

    def _options(self, job: TranscriptionJob) -> TranscribeOptions:
        ladder = TranscribeOptions().temperatures
        return TranscribeOptions(
            beam_size=job.beam_size or self._beam,
            temperatures=(job.temperature,) if job.temperature else ladder,
            words=job.words,
            logprobs=job.logprobs,
        )


class OpenTranscription:
    """One audio on its way: iterate `segments` once, then ask for the `transcript`."""

    def __init__(
        self,
        runner: Runner,
        model: ModelSpec,
        job: TranscriptionJob,
        options: TranscribeOptions,
        permit: Permit,
        source: AudioSource,
        limits: TranscriptionLimits,
    ) -> None:
        self._runner = runner
        self._model = model
        self._job = job
        self._options = options
        self._permit = permit
        self._source = source
        self._ahead = limits.windows_ahead
        self._language = LanguageGuess(job.language, 1.0) if job.language else None
        self._found: list[Segment] = []
        self._prompt_tokens = 0

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

    async def aclose(self) -> None:
        """Stops all work for this audio and gives its place back."""
        self._permit.close()
        await on_thread(self._runner.decoders, self._source.close)

    async def _results(self) -> AsyncGenerator[WindowResult, None]:
        """Results in the order of their windows, a bounded number of windows in work at once."""
        running: deque[asyncio.Task[WindowResult]] = deque()
        try:
            async with aclosing(on_threads(self._cuts(), self._runner.decoders)) as cuts:
                async for cut in cuts:
                    running.append(asyncio.create_task(self._transcribe(cut)))
                    # The first window finds the language that the others are told.
                    while len(running) >= (self._ahead if self._language else 1):
                        yield self._learn(await running.popleft())
            while running:
                yield self._learn(await running.popleft())
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _learn(self, result: WindowResult) -> WindowResult:
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

    def _cuts(self) -> Iterator[Cut]:
        """Decode, detect, cut: runs on a decoder thread, one step for each window."""
        vad = self._job.vad
        detector: SpeechStream = self._runner.detect() if vad else _EverythingIsSpeech()
        cutter = WindowCutter(
            CutRules(
                threshold=vad.threshold,
                padding=vad.prefix_padding_ms / 1000,
                silence=vad.silence_duration_ms / 1000,
            )
            if vad
            else CutRules(padding=0.0)
        )
        for block in self._source.blocks():
            yield from cutter.feed(block, detector.feed(block))
        yield from cutter.flush(detector.flush())


class _EverythingIsSpeech:
    """The detector of those who want no detection: all that is not digital silence is speech."""

    frame = FRAME

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> Samples:
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) - len(joined) % FRAME
        self._rest = joined[whole:]
        return _audible(joined[:whole])

    def flush(self) -> Samples:
        rest, self._rest = self._rest, self._rest[:0]
        return _audible(np.pad(rest, (0, FRAME - len(rest)))) if len(rest) else rest


def _audible(samples: Samples) -> Samples:
    """1 for each frame with any sound above -80 dBFS, else 0."""
    peaks = np.abs(samples.reshape(-1, FRAME)).max(axis=1, initial=0.0)
    return np.asarray(peaks >= 1e-4, np.float32)
