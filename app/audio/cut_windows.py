"""Cuts sound into windows at silence, by the probabilities of speech.

Law: pure; `feed` each block, then `flush`. Windows cover all speech, never overlap, and are at most `longest`
seconds long. Memory is bounded by that length, however long the audio is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.types import SAMPLE_RATE, Samples

FRAME_SAMPLES = 512
"""Samples that one probability covers (32 ms)."""
DETECTOR_FRAMES_PER_SECOND = SAMPLE_RATE / FRAME_SAMPLES
QUIET_MARGIN = 0.15
"""A frame is quiet if its probability of speech is at least this much below the threshold."""
SHORTEST_SILENCE = 3
"""A window is cut at a silence of at least so many frames if it has no longer one."""
LAST_RESORT = 5.0
"""In a window without silence, the quietest place in so many seconds at its end is looked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CutRules:
    """When a window begins and ends."""

    threshold: float = 0.5
    """Probability of speech from which a frame counts as speech."""
    padding: float = 0.3
    """Seconds of sound before and after speech that belong to a window."""
    silence: float = 0.5
    """A long window is best cut in a silence of at least so many seconds."""
    shortest: float = 0.1
    """A window with fewer seconds of speech counts as noise and is dropped."""
    longest: float = 30.0
    """The most seconds of a window."""
    earliest: float = 10.0
    """A window may be cut within speech only after so many seconds."""
    gap: float = 3.0
    """A silence of so many seconds ends a window."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One window: a stretch of the audio."""

    start: float
    """Start of the window in seconds from the start of the audio."""
    samples: Samples

    @property
    def end(self) -> float:
        """End of the window in seconds from the start of the audio."""
        return self.start + len(self.samples) / SAMPLE_RATE


class WindowCutter:
    """Cuts windows. It keeps sound that may still belong to a window, and gives each window as soon as its
    end is known.
    """

    def __init__(self, rules: CutRules) -> None:
        self._rules = rules
        self._least = _frames(rules.shortest)
        self._samples: Samples = np.zeros(0, np.float32)
        self._chances: NDArray[np.float32] = np.zeros(0, np.float32)
        self._origin = 0
        """Number of frames before the buffer, from the start of the audio."""

    def feed(self, samples: Samples, chances: Samples) -> list[Cut]:
        """The windows that are complete.

        `chances`: one probability of speech for each complete frame since the last call; the newest samples
        may not have one yet.
        """
        self._samples = np.concatenate([self._samples, samples])
        self._chances = np.concatenate([self._chances, chances])
        return self._take(last=False)

    def flush(self, chances: Samples | None = None) -> list[Cut]:
        """The windows of the sound that is left. `chances`: the probability of the padded last frame, if
        there is one.
        """
        if chances is not None:
            self._chances = np.concatenate([self._chances, chances])
        return self._take(last=True)

    def _take(self, *, last: bool) -> list[Cut]:
        cuts = []
        while (window := self._next(last=last)) is not None:
            start, end, resume = window
            if np.count_nonzero(self._chances[start:end] >= self._rules.threshold) >= self._least:
                cuts.append(self._cut(start, end))
            self._drop(resume)
        return cuts

    def _next(self, *, last: bool) -> tuple[int, int, int] | None:
        """Start and end of the next window, and where to look for the one after it: frames of the buffer."""
        rules, total = self._rules, len(self._chances)
        speech = np.flatnonzero(self._chances >= rules.threshold)
        pad, longest = _frames(rules.padding), _frames(rules.longest)
        if not len(speech):
            self._drop(0 if last else max(0, total - pad))
            return None
        start = max(0, int(speech[0]) - pad)
        inside = speech[speech < start + longest]
        end = _end_of_talk(inside, min(total, start + longest), _frames(rules.gap))
        if end is None and last and total <= start + longest:
            end = int(inside[-1])
        if end is not None:
            stop = min(end + 1 + pad, total, start + longest)
            return start, stop, stop
        if total < start + longest:
            return None
        stop, resume = self._best_cut(start, start + longest)
        return start, stop, resume

    def _best_cut(self, start: int, limit: int) -> tuple[int, int]:
        """End of a window of full length, and where to go on: in a long and late silence after `earliest`.

        Without any silence it is the quietest place of the last seconds.
        """
        rules = self._rules
        low = start + _frames(rules.earliest)
        quiet = self._chances[low:limit] < max(rules.threshold - QUIET_MARGIN, 0.01)
        runs = [(a + low, b + low) for a, b in _runs(quiet)]
        enough = _frames(rules.silence)
        runs = [r for r in runs if r[1] - r[0] >= enough] or [
            r for r in runs if r[1] - r[0] >= SHORTEST_SILENCE
        ]
        if not runs:
            at = self._quietest(limit - _frames(LAST_RESORT), limit)
            return at, at
        a, b = max(runs, key=lambda run: min(run[1] - run[0], 20) + 20 * (run[0] - low) / (limit - low))
        pad = min(_frames(rules.padding), (b - a) // 2)
        return a + pad, max(a + pad, b - pad)

    def _quietest(self, low: int, high: int) -> int:
        frames = self._samples[low * FRAME_SAMPLES : high * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
        energy = np.convolve(np.square(frames).mean(axis=1), np.ones(3) / 3, mode="same")
        return low + 1 + int(np.argmin(energy[1:-1]))

    def _cut(self, start: int, end: int) -> Cut:
        at = (self._origin + start) * FRAME_SAMPLES / SAMPLE_RATE
        return Cut(at, self._samples[start * FRAME_SAMPLES : end * FRAME_SAMPLES].copy())

    def _drop(self, frames: int) -> None:
        self._samples = self._samples[frames * FRAME_SAMPLES :].copy()
        self._chances = self._chances[frames:].copy()
        self._origin += frames


def _frames(seconds: float) -> int:
    return int(seconds * DETECTOR_FRAMES_PER_SECOND)


def _end_of_talk(speech: NDArray[np.int64], known: int, gap: int) -> int | None:
    """The last frame of speech before the first pause of more than `gap` frames, or None.

    `known`: number of frames whose probability is known.
    """
    far = np.flatnonzero(np.diff(speech, append=known) > gap)
    return int(speech[far[0]]) if len(far) else None


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


class EverythingIsSpeech:
    """A detector for requests that switch detection off: all but digital silence is speech."""

    frame = FRAME_SAMPLES

    def __init__(self) -> None:
        self._rest: Samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> Samples:
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) - len(joined) % FRAME_SAMPLES
        self._rest = joined[whole:]
        return _audible(joined[:whole])

    def flush(self) -> Samples:
        rest, self._rest = self._rest, self._rest[:0]
        return _audible(np.pad(rest, (0, FRAME_SAMPLES - len(rest)))) if len(rest) else rest


def _audible(samples: Samples) -> Samples:
    """1 for each frame with any sound above -80 dBFS, else 0."""
    peaks = np.abs(samples.reshape(-1, FRAME_SAMPLES)).max(axis=1, initial=0.0)
    return np.asarray(peaks >= 1e-4, np.float32)
