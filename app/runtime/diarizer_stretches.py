"""Divides blocks of sound into the stretches that a diarizer processes, one `Look` for each stretch.

Law: arithmetic on samples, and the order of the stretches. They overlap as the diarizer demands; the last one
is shorter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import numpy as np

from engines.types import SAMPLE_RATE, Samples
from engines.work import LookSize, Seen, Stretch


class DiarizerStretches:
    """Cuts the sound of one recording into stretches. Call `feed` with each block, then `flush` once."""

    def __init__(self, size: LookSize) -> None:
        self._size = size
        self._blocks: list[Samples] = []
        self._held = 0
        """Number of samples in `_blocks`."""
        self._start = 0
        """Position of the first of them, in samples from the start of the audio."""

    def feed(self, samples: Samples) -> Iterator[Stretch]:
        """The stretches that are complete now. A stretch is given only when more sound follows, because the
        last one must be marked as such.
        """
        self._blocks.append(samples)
        self._held += len(samples)
        if self._held <= self._size.span:
            return
        waiting = np.concatenate(self._blocks)
        while len(waiting) > self._size.span:
            yield Stretch(waiting[: self._size.span], self._start / SAMPLE_RATE, end=False)
            waiting = waiting[self._size.hop :]
            self._start += self._size.hop
        self._blocks, self._held = [waiting], len(waiting)

    def flush(self) -> Iterator[Stretch]:
        """The last stretch, unless there was no sound at all."""
        if self._held:
            yield Stretch(np.concatenate(self._blocks), self._start / SAMPLE_RATE, end=True)
        self._blocks, self._held = [], 0


async def seen_of(
    blocks: AsyncIterator[Samples],
    size: LookSize,
    at_once: int,
    look: Callable[[Stretch], Coroutine[Any, Any, Seen]],
) -> list[Seen]:
    """The results of `look` for each stretch, in order. Raises what `look` raises.

    `at_once`: calls of `look` that run in parallel; further blocks are read only when one of them ends.
    """
    cutter = DiarizerStretches(size)
    looking: deque[asyncio.Task[Seen]] = deque()
    seen: list[Seen] = []
    try:
        async for block in blocks:
            for part in cutter.feed(block):
                if len(looking) >= at_once:
                    seen.append(await looking.popleft())
                looking.append(asyncio.create_task(look(part)))
        looking.extend(asyncio.create_task(look(part)) for part in cutter.flush())
        while looking:
            seen.append(await looking.popleft())
        return seen
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
