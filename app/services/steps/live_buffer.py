"""The sound of a live session that is still needed, and how likely each frame of it is speech.

Law: positions are samples from the start of the session's audio; what lies before `first` has been dropped.
The sound is kept with 16 bits a sample, in blocks of a second: one growing array would take an eighth more.
"""

from __future__ import annotations

import array
from collections import deque
from itertools import islice

import numpy as np

from app.audio.live_decode import FULL_SCALE, Samples16
from engines.types import SAMPLE_RATE, Samples

BLOCK_FRAMES = 32
"""Frames in one block."""


class SoundBuffer:
    """A buffer of sound: new sound is appended at its end, and old sound is dropped at its beginning."""

    def __init__(self, frame: int) -> None:
        """`frame`: number of samples that one probability covers."""
        self.frame = frame
        self.end = 0
        self._size = frame * BLOCK_FRAMES
        self._blocks: deque[Samples16] = deque()
        self._dropped = 0
        """Number of blocks that were dropped."""
        self._first = 0
        """Number of the first frame that is still in the buffer."""
        self._chances = array.array("f")

    @property
    def seconds(self) -> float:
        """Seconds of the sound that was not dropped."""
        return (self.end - self._first * self.frame) / SAMPLE_RATE

    @property
    def frames(self) -> int:
        """Number of frames that have a probability, including dropped ones."""
        return self._first + len(self._chances)

    def add(self, samples: Samples16, chances: Samples) -> None:
        """Appends sound, and the probabilities of the frames that it completes."""
        while len(samples):
            at = self.end - (self._dropped + len(self._blocks)) * self._size
            if at == 0:
                self._blocks.append(np.empty(self._size, np.int16))
                at = -self._size
            count = min(-at, len(samples))
            self._blocks[-1][self._size + at : self._size + at + count] = samples[:count]
            self.end += count
            samples = samples[count:]
        self._chances.extend(chances.tolist())

    def skip(self, frames: int) -> None:
        """Skips `frames` frames: neither their sound nor anything before them is kept."""
        if not frames:
            return
        self._first = self.frames + frames
        self._chances = array.array("f")
        self.end += frames * self.frame
        self._dropped = self._first // BLOCK_FRAMES
        count = -(-self.end // self._size) - self._dropped
        self._blocks = deque(np.zeros(self._size, np.int16) for _ in range(count))

    def sound(self, start: int, end: int) -> Samples:
        """Samples from `start` to `end`, as far as they are in the buffer."""
        low, high = max(start, self._first * self.frame), min(end, self.end)
        if low >= high:
            return np.zeros(0, np.float32)
        base = self._dropped * self._size
        first, last = (low - base) // self._size, -(-(high - base) // self._size)
        joined = np.concatenate(list(islice(self._blocks, first, last)))
        begin = low - base - first * self._size
        return joined[begin : begin + high - low].astype(np.float32) / FULL_SCALE

    def chances(self, start: int, end: int) -> list[float]:
        """Probabilities of the frames from `start` to `end`, as far as they are in the buffer."""
        return list(self._chances[max(start - self._first, 0) : max(end - self._first, 0)])

    def drop(self, position: int) -> None:
        """Drops the sound before the sample `position`."""
        count = min(position // self.frame - self._first, len(self._chances))
        if count <= 0:
            return
        del self._chances[:count]
        self._first += count
        while self._blocks and (self._dropped + 1) * BLOCK_FRAMES <= self._first:
            self._blocks.popleft()
            self._dropped += 1
