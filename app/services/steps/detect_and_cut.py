"""Blocks of sound -> windows, in order: speech detection, then cutting.

Law: `Cutting` blocks (it runs a detector), so it is called on a work thread; the two functions below it bring
blocks to it, from an iterator that blocks itself or from one on the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial

from app.audio.cut_windows import Cut, CutRules, EverythingIsSpeech, WindowCutter
from app.domain import VadOptions
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import Runner
from app.services.steps.recordings import Recording
from app.services.steps.shared_blocks import SharedBlocksReader
from engines.contracts import SpeechStream
from engines.types import Samples

EARLIEST_SHARE = 1 / 3
"""A window may be cut within speech only after this fraction of the longest window."""


class Cutting:
    """Detects speech and cuts windows: call `feed` with each block, then `flush`. The first call loads the
    detector.
    """

    def __init__(self, runner: Runner, vad: VadOptions | None, longest: float) -> None:
        """`vad`: options of the speech detection; if None, everything but digital silence counts as speech.
        `longest`: the most seconds of a window.
        """
        self._runner = runner
        self._vad = vad
        self._detector: SpeechStream | None = None
        self._cutter = WindowCutter(cut_rules(vad, longest))

    def feed(self, block: Samples) -> list[Cut]:
        return self._cutter.feed(block, self._opened().feed(block))

    def flush(self) -> list[Cut]:
        return self._cutter.flush(self._opened().flush())

    def _opened(self) -> SpeechStream:
        if self._detector is None:
            self._detector = self._runner.detect() if self._vad else EverythingIsSpeech()
        return self._detector


def cut(blocks: Iterator[Samples], cutting: Cutting) -> Iterator[Cut]:
    """Cuts `blocks` into windows. Each step blocks. Raises what decoding raises."""
    for block in blocks:
        yield from cutting.feed(block)
    yield from cutting.flush()


async def cut_async(
    blocks: SharedBlocksReader, cutting: Cutting, threads: WorkThreads
) -> AsyncGenerator[Cut, None]:
    """Cuts blocks of an async iterator into windows. Closes `blocks` at the end."""
    async with aclosing(blocks):
        async for block in blocks:
            for window in await threads.run(partial(cutting.feed, block)):
                yield window
    for window in await threads.run(cutting.flush):
        yield window


async def cut_recording(recording: Recording, vad: VadOptions, longest: float) -> AsyncGenerator[Cut, None]:
    """The windows of a recording whose speech was detected already. It has at most two minutes, so this does
    not block for long.
    """
    cutter = WindowCutter(cut_rules(vad, longest))
    for window in [*cutter.feed(recording.sound.samples, recording.chances), *cutter.flush()]:
        yield window


def cut_rules(vad: VadOptions | None, longest: float) -> CutRules:
    """The cutting rules for the options of a request."""
    if vad is None:
        return CutRules(padding=0.0, longest=longest, earliest=longest * EARLIEST_SHARE)
    return CutRules(
        longest=longest,
        earliest=longest * EARLIEST_SHARE,
        threshold=vad.threshold,
        padding=vad.prefix_padding_ms / 1000,
        silence=vad.silence_duration_ms / 1000,
    )
