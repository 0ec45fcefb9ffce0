"""Transcribes windows, and gives their segments in order.

Law: a bounded number of windows of one audio is in work at once, so windows are cut ahead of the model and
memory does not grow with the length of the audio.
"""

from __future__ import annotations

import asyncio
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
class SharedWork:
    """The seconds of sound in windows that are being transcribed, of all recordings together."""

    most: float
    """From so many on, each of several recordings has its share."""
    recordings: int = 0
    seconds: float = 0.0

    def full(self, own: float) -> bool:
        """Whether a recording with `own` seconds in work has its share, and others need the rest."""
        return self.seconds >= self.most and own >= self.most / self.recordings


@dataclass(frozen=True, slots=True)
class _InWork:
    """A window that is being transcribed."""

    cut: Cut
    task: asyncio.Task[WindowResult]
    detects: bool
    """Whether its language was not known when its work began."""

    @property
    def seconds(self) -> float:
        return self.cut.end - self.cut.start


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
        together: SharedWork,
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
                    while self._enough(running):
                        yield await self._finished(running.popleft(), running)
            while running:
                yield await self._finished(running.popleft(), running)
        finally:
            self._together.recordings -= 1
            self._together.seconds -= sum(window.seconds for window in running)
            for window in running:
                window.task.cancel()
            await asyncio.gather(*(window.task for window in running), return_exceptions=True)

    def _enough(self, running: Sequence[_InWork]) -> bool:
        """Whether so many windows are in work that the first one's result is awaited. Of many recordings,
        each has fewer, because each second that waits takes 64 kB; but while the language is not known, as
        many as without others, so that it does not depend on them.
        """
        if not self._language:
            return len(running) >= min(self._ahead, UNKNOWN_AHEAD)
        several = self._together.recordings > 1
        full = several and self._together.full(sum(window.seconds for window in running))
        return full or len(running) >= self._ahead

    def _begun(self, cut: Cut) -> _InWork:
        window = _InWork(cut, asyncio.create_task(self._transcribe(cut)), detects=not self._language)
        self._together.seconds += window.seconds
        return window

    async def _finished(self, window: _InWork, later: Sequence[_InWork]) -> WindowResult:
        """Waits for the result of a window, and counts its seconds as done. `later`: windows in work."""
        try:
            result = await self._result(window, later)
        finally:
            self._together.seconds -= window.seconds
        self._permit.worked(window.cut.end - self._done)
        self._done = window.cut.end
        if (
            not self._segments and result.segments
        ):  # an English-only model gives English whatever language the request names
            self._language = result.language
        return result

    async def _result(self, window: _InWork, later: Sequence[_InWork]) -> WindowResult:
        """The language of the first window with text is the language of the recording, if it is sure of it.

        A window that was begun before that was known, and detected another language, is transcribed again.
        """
        result = await window.task
        if not self._language and result.segments and later:
            self._language = await self._surer(result.language, later[0])
        if window.detects and self._language and result.language.code != self._language.code:
            result = await self._transcribe(window.cut)
        return result

    async def _surer(self, language: LanguageGuess, following: _InWork) -> LanguageGuess:
        """The language of the first window, or that of the second one, if that has text and is sure."""
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
