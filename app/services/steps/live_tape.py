"""The sound of a live session that is still needed, and how likely each frame of it is speech.

Law: positions are samples from the start of the session's audio; what lies before `first` has been dropped.
"""

from __future__ import annotations

import array

import numpy as np
from numpy.typing import NDArray

from engines.types import SAMPLE_RATE, Samples

FULL_SCALE = 32_768.0


class Tape:
    """Sound goes in at the end and is dropped at the beginning."""

    def __init__(self, frame: int) -> None:
        """`frame`: number of samples that one probability covers."""
        self.frame = frame
        self.end = 0
        self._first = 0
        """Number of the first frame that is still here."""
        self._sound = bytearray()
        self._chances = array.array("f")

    @property
    def seconds(self) -> float:
        """Of the sound that is still here."""
        return len(self._sound) / 2 / SAMPLE_RATE

    @property
    def frames(self) -> int:
        """Number of frames that have a probability, including dropped ones."""
        return self._first + len(self._chances)

    def add(self, samples: NDArray[np.int16], chances: Samples) -> None:
        self._sound += samples.tobytes()
        self.end += len(samples)
        self._chances.extend(chances.tolist())

    def sound(self, start: int, end: int) -> Samples:
        """Samples start..end, as far as they are here."""
        base = self._first * self.frame
        low, high = max(start - base, 0) * 2, max(end - base, 0) * 2
        return np.frombuffer(bytes(self._sound[low:high]), np.int16).astype(np.float32) / FULL_SCALE

    def chances(self, start: int, end: int) -> list[float]:
        """The probabilities of frames start..end, as far as they are here."""
        return list(self._chances[max(start - self._first, 0) : max(end - self._first, 0)])

    def drop(self, position: int) -> None:
        """Drops the sound before this sample."""
        count = min(position // self.frame - self._first, len(self._chances))
        if count > 0:
            del self._sound[: count * self.frame * 2]
            del self._chances[:count]
            self._first += count
