"""Measures the peaks of a recording ten times a second, from which a page draws a waveform.

Law: blocks of sound in, bytes out; the sound itself is not stored.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from engines.types import SAMPLE_RATE, Samples

PEAKS_A_SECOND = 10
_SPAN = SAMPLE_RATE // PEAKS_A_SECOND


@dataclass(frozen=True, slots=True)
class Peaks:
    """Peaks of a stretch of sound."""

    start: float
    """Seconds from the start of the recording."""
    values: bytes
    """The largest absolute sample of each tenth of a second, 0 to 255."""


class PeakMeter:
    """Collects peaks. The thread that decodes calls `feed`, the event loop takes the peaks out."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._values = bytearray()
        self._taken = 0
        self._lock = threading.Lock()

    def feed(self, samples: Samples) -> None:
        """Takes the next samples, 16 kHz, within -1..1."""
        whole = np.concatenate([self._rest, samples])
        count = len(whole) // _SPAN
        loudest = np.abs(whole[: count * _SPAN]).reshape(count, _SPAN).max(axis=1, initial=0.0)
        self._rest = whole[count * _SPAN :]
        with self._lock:
            self._values += np.minimum(loudest * 255, 255).astype(np.uint8).tobytes()

    def take(self) -> Peaks | None:
        """The peaks since the last call; None if there are none."""
        with self._lock:
            values, self._values = bytes(self._values), bytearray()
        if not values:
            return None
        start, self._taken = self._taken / PEAKS_A_SECOND, self._taken + len(values)
        return Peaks(start, values)
