"""A sound that comes in blocks of any length -> the stretches that a diarizer wants to hear.

Law: arithmetic on samples. Stretches overlap by what the diarizer asks for; the last one is shorter.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.types import SAMPLE_RATE, Samples
from engines.work import LookSize, Stretch


class Looks:
    """One audio: `feed` each block, then `flush` once."""

    def __init__(self, size: LookSize) -> None:
        self._size = size
        self._blocks: list[Samples] = []
        self._held = 0
        """Samples that wait."""
        self._start = 0
        """Where they begin, in samples from the start of the audio."""

    def feed(self, samples: Samples) -> Iterator[Stretch]:
        """The stretches that are complete now. One is given only when more sound follows, as the last is
        marked.
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
        """The rest, if there was any sound at all."""
        if self._held:
            yield Stretch(np.concatenate(self._blocks), self._start / SAMPLE_RATE, end=True)
        self._blocks, self._held = [], 0
