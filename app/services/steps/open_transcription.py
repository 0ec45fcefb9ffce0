"""A running transcription: one class for each kind, all with the method `events`.

Law: iterate `events` once, close that iterator, then ask for the `transcript`, then close the whole. Closing
stops all work for the audio and closes its permit.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing

from app.audio.peaks import PeakMeter
from app.domain import (
    Progress,
    SpokenSegment,
    SpokenText,
    Transcript,
    TranscriptEvent,
    VadOptions,
    WindowText,
)
from app.logs import note
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.detect_and_cut import Cutting, cut, cut_async
from app.services.steps.join_speakers import SpeakerJoiner
from app.services.steps.key_spending import Charge
from app.services.steps.open_upload import Source
from app.services.steps.shared_blocks import SharedBlocks, SharedBlocksReader
from app.services.steps.transcribe_windows import WindowTranscriber
from app.tracing import Stopwatch
from engines.types import Diarization, Samples, Segment

Who = Callable[[AsyncIterator[Samples]], Awaitable[Diarization]]
"""A function that diarizes all blocks of an audio."""


class OpenTranscription(ABC):
    """The parts that all kinds of transcription share."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        source: Source,
        permit: Permit,
        transcriber: WindowTranscriber,
        vad: VadOptions | None,
        charge: Charge,
    ) -> None:
        self._runner = runner
        self._threads = threads
        self._source = source
        self._permit = permit
        self._charge = charge
        self._decoding = Stopwatch()
        self._transcriber = transcriber
        self._cutting = Cutting(runner, vad, transcriber.longest)
        self.peaks: PeakMeter | None = None
        """Measures how loud the audio is, if the client asked for it."""

    @property
    def deadline(self) -> float | None:
        """Deadline of the request, as a time of the monotonic clock; None: never."""
        return self._permit.cancel.deadline

    @property
    def seconds(self) -> float:
        """Seconds decoded so far."""
        return self._source.seconds

    @property
    def expected(self) -> float | None:
        """Seconds that the file claims to have."""
        return self._source.expected

    @property
    def done(self) -> float:
        """Seconds transcribed so far."""
        return self._transcriber.done

    @property
    def queued(self) -> float:
        """Seconds of audio of all requests that are not transcribed yet."""
        return self._runner.snapshot().queued_seconds

    def _blocks(self) -> Iterator[Samples]:
        blocks = self._source.blocks()
        while True:
            with self._decoding.running():
                block = next(blocks, None)
            if block is None:
                return
            if self.peaks:
                self.peaks.feed(block)
            yield block

    @abstractmethod
    def events(self) -> AsyncGenerator[TranscriptEvent, None]:
        """Texts, segments and signs of progress, as soon as they are known. Raises `ApiError`."""

    @abstractmethod
    def transcript(self) -> Transcript:
        """The transcript of all windows so far."""

    async def aclose(self) -> None:
        """Stops all work for this audio and closes its permit."""
        self._permit.close()
        self._charge.settle(self.seconds)
        note(decode_s=round(self._decoding.busy, 3))
        self._decoding.tell("decode", self._permit.span, {"antiphon.audio_seconds": self.seconds})
        await self._threads.run(self._source.close)


class PlainTranscription(OpenTranscription):
    """A transcription without speakers."""

    async def events(self) -> AsyncGenerator[TranscriptEvent, None]:
        cuts = self._threads.iterate(cut(self._blocks(), self._cutting))
        async with aclosing(self._transcriber.segments(cuts)) as windows:
            async for segments in windows:
                self._charge.reach(self.seconds)
                yield WindowText(segments)

    def transcript(self) -> Transcript:
        return self._transcriber.transcript(self._source.seconds)


class SpokenTranscription(OpenTranscription):
    """A transcription with speakers: diarization runs in parallel on the same decoded sound."""

    def __init__(
        self,
        runner: Runner,
        threads: WorkThreads,
        source: Source,
        permit: Permit,
        transcriber: WindowTranscriber,
        vad: VadOptions | None,
        charge: Charge,
        *,
        who: Who,
        lead: float,
        text_first: bool,
    ) -> None:
        """`lead`: seconds by which one reader may be ahead of the other. `text_first`: text is sent before
        its speaker is known.

        With `text_first`, a failure of `who` is raised only when all text has left.
        """
        super().__init__(runner, threads, source, permit, transcriber, vad, charge)
        self._who = who
        self._lead = lead
        self._text_first = text_first
        self._spoken: list[SpokenSegment] = []

    async def events(self) -> AsyncGenerator[TranscriptEvent, None]:
        shared = SharedBlocks(self._threads.iterate(self._blocks()), self._lead)
        async with aclosing(shared):
            cuts = cut_async(shared.reader(), self._cutting, self._threads)
            who = asyncio.ensure_future(self._asked(shared.reader()))
            try:
                windows = self._transcriber.segments(cuts)
                async with aclosing(windows), aclosing(self._joined(windows, who)) as events:
                    async for event in events:
                        yield event
            finally:
                who.cancel()
                await asyncio.gather(who, return_exceptions=True)

    def transcript(self) -> Transcript:
        return self._transcriber.transcript(self._source.seconds, tuple(self._spoken))

    async def _asked(self, blocks: SharedBlocksReader) -> Diarization:
        async with aclosing(blocks):
            return await self._who(blocks)

    async def _joined(
        self, windows: AsyncIterator[tuple[Segment, ...]], who: asyncio.Future[Diarization]
    ) -> AsyncGenerator[TranscriptEvent, None]:
        """Gives the text of each window, or only a sign of progress, until the speakers are known."""
        waiting: list[Segment] = []
        joiner: SpeakerJoiner | None = None
        async for segments in windows:
            waiting += segments
            self._charge.reach(self.seconds)
            if self._text_first:
                yield WindowText(segments)
            if not who.done():
                yield Progress()
            elif not (self._text_first and who.exception()):
                joiner = joiner or SpeakerJoiner(who.result())
                yield self._told(joiner.feed(waiting))
                waiting = []
        joiner = joiner or SpeakerJoiner(await who)
        yield self._told([*joiner.feed(waiting), *joiner.flush()])

    def _told(self, spoken: list[SpokenSegment]) -> SpokenText:
        self._spoken += spoken
        return SpokenText(tuple(spoken))
