"""Transcribes windows, and gives their segments in order.

Law: a bounded number of windows of one audio is in work at once, so windows are cut ahead of the model and
memory does not grow with the length of the audio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from app.audio.cut_windows import Cut
from app.domain import ModelSpec, SpokenSegment, Transcript, TranscriptionJob
from app.errors import RequestTimedOut, from_engine
from app.runtime.admission import Permit
from app.runtime.runner import Runner
from engines.errors import EngineError
from engines.types import LanguageGuess, Pcm, Segment, TranscribeOptions, Window, WindowResult


class WindowTranscriber:
    """Transcribes one recording: iterate `segments` once, then read the `transcript`."""

    def __init__(
        self,
        runner: Runner,
        model: ModelSpec,
        job: TranscriptionJob,
        options: TranscribeOptions,
        permit: Permit,
        *,
        ahead: int,
        longest: float,
    ) -> None:
        """`ahead`: windows that are transcribed in parallel. `longest`: see the attribute."""
        self._runner = runner
        self._model = model
        self._job = job
        self._options = options
        self._permit = permit
        self._ahead = ahead
        self.longest = longest
        """The most seconds that a window for this transcription should have."""
        self._language = LanguageGuess(job.language, 1.0) if job.language else None
        self._segments: list[Segment] = []
        self._prompt_tokens = 0
        self._done = 0.0

    @property
    def done(self) -> float:
        """Seconds of audio whose windows have been transcribed."""
        return self._done

    def transcript(self, seconds: float, spoken: tuple[SpokenSegment, ...] | None = None) -> Transcript:
        """The transcript of all windows so far. `seconds`: length of the audio."""
        return Transcript(
            task=self._job.task,
            language=self._language,
            duration=seconds,
            segments=tuple(self._segments),
            prompt_tokens=self._prompt_tokens,
            spoken=spoken,
        )

    async def segments(self, cuts: AsyncGenerator[Cut, None]) -> AsyncGenerator[tuple[Segment, ...], None]:
        """The segments of each window, in order, as soon as they are known. Closes `cuts`.

        Raises `ApiError`.
        """
        try:
            async with aclosing(self._results(cuts)) as results:
                async for result in results:
                    self._segments += result.segments
                    self._prompt_tokens = max(self._prompt_tokens, result.prompt_tokens)
                    yield result.segments
        except EngineError as failure:
            raise from_engine(failure) from failure
        if self._permit.cancel.late:
            raise RequestTimedOut

    async def _results(self, cuts: AsyncGenerator[Cut, None]) -> AsyncGenerator[WindowResult, None]:
        running: deque[tuple[asyncio.Task[WindowResult], float]] = deque()
        try:
            async with aclosing(cuts):
                async for cut in cuts:
                    running.append((asyncio.create_task(self._transcribe(cut)), cut.end))
                    # The language that the first window detects is used for the others.
                    while len(running) >= (self._ahead if self._language else 1):
                        yield await self._finished(*running.popleft())
            while running:
                yield await self._finished(*running.popleft())
        finally:
            for task, _ in running:
                task.cancel()
            await asyncio.gather(*(task for task, _ in running), return_exceptions=True)

    async def _finished(self, task: asyncio.Task[WindowResult], end: float) -> WindowResult:
        """Waits for the result of a window, and counts its seconds as done. `end`: of the window, in
        seconds.
        """
        result = await task
        self._permit.worked(end - self._done)
        self._done = end
        if (
            not self._segments and result.segments
        ):  # an English-only model gives English whatever language the request names
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
