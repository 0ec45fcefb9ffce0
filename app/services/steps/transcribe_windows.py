"""Transcribes windows, and gives their segments in order.

Law: a bounded number of windows of one audio is in work at once, so windows are cut ahead of the model and
memory does not grow with the length of the audio.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from app.audio.cut_windows import Cut
from app.domain import ModelSpec, SpokenSegment, Transcript, TranscriptionJob
from app.errors import ApiError, RequestTimedOut, from_engine
from app.runtime.admission import Permit
from app.runtime.runner import Runner
from engines.errors import EngineError
from engines.types import LanguageGuess, Pcm, Segment, TranscribeOptions, Window, WindowResult

UNKNOWN_AHEAD = 2
"""Windows that are transcribed in parallel while the language is not known."""


@dataclass(slots=True)
class SharedWindows:
    """Divides the windows that keep the models busy among the recordings that are being transcribed."""

    most: int
    """Windows of all recordings together."""
    recordings: int = 0

    def share(self) -> int:
        """Windows of each of several recordings: at least one."""
        return math.ceil(self.most / self.recordings)


@dataclass(frozen=True, slots=True)
class _InWork:
    """A window that is being transcribed."""

    cut: Cut
    task: asyncio.Task[WindowResult]
    detects: bool
    """Whether its language was not known when its work began."""


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
        together: SharedWindows,
        longest: float,
    ) -> None:
        """`ahead`: windows that are transcribed in parallel, if they are not fewer by `together`. `longest`:
        see the attribute.
        """
        self._runner = runner
        self._model = model
        self._job = job
        self._options = options
        self._permit = permit
        self._ahead = ahead
        self._together = together
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
        running: deque[_InWork] = deque()
        self._together.recordings += 1
        try:
            async with aclosing(cuts):
                async for cut in cuts:
                    running.append(self._begun(cut))
                    while len(running) >= self._most:
                        yield await self._finished(running.popleft(), running)
            while running:
                yield await self._finished(running.popleft(), running)
        finally:
            self._together.recordings -= 1
            for window in running:
                window.task.cancel()
            await asyncio.gather(*(window.task for window in running), return_exceptions=True)

    @property
    def _most(self) -> int:
        """The number of windows in work from which the first one's result is awaited. Of many recordings,
        each has fewer, because each window that waits takes 2 MB; but while the language is not known, as
        many as without others, so that it does not depend on them.
        """
        if not self._language:
            return min(self._ahead, UNKNOWN_AHEAD)
        alone = self._together.recordings < 2
        return self._ahead if alone else min(self._ahead, self._together.share())

    def _begun(self, cut: Cut) -> _InWork:
        return _InWork(cut, asyncio.create_task(self._transcribe(cut)), detects=not self._language)

    async def _finished(self, window: _InWork, later: Sequence[_InWork]) -> WindowResult:
        """Waits for the result of a window, and counts its seconds as done. `later`: windows in work.

        The language of the first window with text is the language of the recording, if it is sure of it. A
        window that was begun before that was known, and detected another language, is transcribed again.
        """
        result = await window.task
        if not self._language and result.segments and later:
            self._language = await self._surer(result.language, later[0])
        if window.detects and self._language and result.language.code != self._language.code:
            result = await self._transcribe(window.cut)
        self._permit.worked(window.cut.end - self._done)
        self._done = window.cut.end
        if (
            not self._segments and result.segments
        ):  # an English-only model gives English whatever language the request names
            self._language = result.language
        return result

    async def _surer(self, language: LanguageGuess, following: _InWork) -> LanguageGuess:
        """The language of the first window, or that of the second one, if that has text and is surer."""
        if language.sure:
            return language
        try:
            second = await following.task
        except (EngineError, ApiError):  # it is told when it is this window's turn
            return language
        return second.language if second.segments and second.language.sure else language

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
