"""A stretch of sound -> for each of its windows: who talks in which frame, and the vectors of these speakers.

Windows of ten seconds begin every 2.5 seconds. Only numbers are stored of them, no samples.

Law: stateless; the networks are functions that are passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from engines.speakers.similar_voices import LocalSpeaker, Mask, RunBook
from engines.types import SAMPLE_RATE, Samples

BATCH_WINDOWS = 2
"""Windows in one batch of the segmentation network: more need memory and save hardly any time."""
AT_ONCE = 24
"""Windows that one call of `look` processes (67.5 s of sound). A run of speech that two calls share is
embedded in both, so longer calls cost less (the encoder runs 5 % less often than at 12), but other requests
wait until a call is done.
"""

Segmenter = Callable[[Samples], NDArray[np.bool_]]
"""A function from sound (windows, samples) to who talks (windows, frames, speakers)."""


class SpeakerVoices(Protocol):
    """Computes the vectors of the speakers of a window."""

    def speakers(self, window: Samples, active: Mask, start: float, book: RunBook) -> list[LocalSpeaker]:
        """The speakers of a window with their vectors. `active`: (frames, speakers) of the segmentation.
        `start`: of the window, in seconds.
        """
        ...

    def embed(self, samples: Samples) -> Samples:
        """The unit vector of the person who speaks in `samples`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FoundSpeakers:
    """The results of consecutive windows."""

    seconds: float
    """Seconds from the start of the audio to the end of the last sample that was processed."""
    active: NDArray[np.bool_]
    """Who talks: (windows, frames, speakers)."""
    vectors: Samples
    """Speaker vectors: (windows, speakers, numbers); NaN for a speaker with too little speech."""


class Windows:
    """Processes windows of one length, at a fixed distance."""

    def __init__(self, segment: Segmenter, voices: SpeakerVoices, *, seconds: float, step: float) -> None:
        """`seconds`: of a window. `step`: seconds between two."""
        self._segment = segment
        self._voices = voices
        self._window = round(seconds * SAMPLE_RATE)
        self._step = round(step * SAMPLE_RATE)
        self.hop = AT_ONCE * self._step
        self.span = self.hop - self._step + self._window

    def look(self, samples: Samples, start: float, *, end: bool) -> FoundSpeakers:
        """The speakers in all windows of a stretch. `start`: of the samples, in seconds. `end`: silence
        completes the last window.
        """
        count = self._count(len(samples), end=end)
        padded = np.pad(samples, (0, max(0, (count - 1) * self._step + self._window - len(samples))))
        book, found = RunBook(), list[list[LocalSpeaker]]()
        frames = 1
        for first in range(0, count, BATCH_WINDOWS):
            starts = [self._step * number for number in range(first, min(first + BATCH_WINDOWS, count))]
            windows = np.stack([padded[start : start + self._window] for start in starts])
            for window, active in zip(windows, self._segment(windows), strict=True):
                begin, frames = start + len(found) * self._step / SAMPLE_RATE, len(active)
                found.append(self._voices.speakers(window, active, begin, book))
        return _seen(start + len(samples) / SAMPLE_RATE, found, frames)

    def _count(self, samples: int, *, end: bool) -> int:
        whole = max(0, (samples - self._window) // self._step + 1)
        covered = (whole - 1) * self._step + self._window if whole else 0
        return whole + 1 if end and samples > covered else whole


def joined(seen: Sequence[object]) -> FoundSpeakers:
    """Joins the results of consecutive looks, which are this class's own."""
    parts = cast("Sequence[FoundSpeakers]", seen)
    filled = [part for part in parts if len(part.active)]
    if not filled:
        return FoundSpeakers(0.0, np.zeros((0, 1, 0), np.bool_), np.zeros((0, 0, 1), np.float32))
    most = max(part.active.shape[2] for part in filled)
    numbers = max(part.vectors.shape[2] for part in filled)
    active = [_widened(part.active, (0, 0, most), 0.0) for part in filled]
    vectors = [_widened(part.vectors, (0, most, numbers), np.nan) for part in filled]
    return FoundSpeakers(parts[-1].seconds, np.concatenate(active), np.concatenate(vectors))


def _seen(seconds: float, windows: Sequence[Sequence[LocalSpeaker]], frames: int) -> FoundSpeakers:
    most = max(map(len, windows), default=0)
    heard = [s.vector for window in windows for s in window if s.vector is not None]
    active = np.zeros((len(windows), frames, most), np.bool_)
    vectors = np.full((len(windows), most, len(heard[0]) if heard else 1), np.nan, np.float32)
    for row, window in enumerate(windows):
        for column, speaker in enumerate(window):
            active[row, :, column] = speaker.frames
            if speaker.vector is not None:
                vectors[row, column] = speaker.vector
    return FoundSpeakers(seconds, active, vectors)


def _widened(table: NDArray[Any], shape: tuple[int, ...], fill: float) -> NDArray[Any]:
    """The array, padded at the ends of its axes to at least that shape."""
    missing = [(0, max(0, want - have)) for want, have in zip(shape, table.shape, strict=True)]
    return np.pad(table, missing, constant_values=fill)
