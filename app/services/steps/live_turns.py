"""Finds turns in the probabilities of speech, and the stretch of audio that is worth transcribing.

Law: pure; positions are frames of the detector, counted from the start of the session's audio. Audio time
decides, so sound that is sent faster than it was spoken gives the same turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

START_FRAMES = 2
"""Frames in a row over the threshold that begin a turn."""
SPEECH_HYSTERESIS = 0.15
"""Within a turn, a frame is silent only if its probability is at least this much below the threshold."""
LEAST_SPEECH_FRAMES = 3
"""A stretch with fewer frames of speech is not transcribed, because models invent text for noise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnRules:
    """How turns are found, in frames."""

    threshold: float
    """Probability from which a frame is speech, 0 to 1."""
    padding: int
    """Frames before the speech that belong to the turn."""
    longest: int
    """Frames after which a turn is cut."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The beginning or the end of a turn, just before a frame."""

    kind: Literal["start", "stop"]
    frame: int


class TurnFinder:
    """Finds turns. Call `feed` with the probability of each frame once, in order."""

    def __init__(self, rules: TurnRules, first: int) -> None:
        """`first`: the earliest frame that a turn may include."""
        self._rules = rules
        self._earliest = first
        self._above = 0
        self._silent = 0
        self._start: int | None = None

    def feed(self, frame: int, chance: float, silence: int) -> list[Edge]:
        """Takes the probability of the next frame; returns the edge of a turn that it reveals. `silence`:
        frames of silence that end a turn now.
        """
        if self._start is None:
            return self._waiting(frame, chance)
        self._silent = (
            self._silent + 1 if chance < max(self._rules.threshold - SPEECH_HYSTERESIS, 0.01) else 0
        )
        if self._silent >= max(silence, 1):
            return [self._stop(frame + 1)]
        if frame + 1 - self._start >= self._rules.longest:
            stop = self._stop(frame + 1)
            self._start = frame + 1
            return [stop, Edge("start", frame + 1)]
        return []

    def quiet(self, chances: Sequence[float]) -> bool:
        """Takes several frames at once if they neither begin nor end a turn. Returns whether it did."""
        limit = max(self._rules.threshold, 0.01)
        if self._start is not None or any(chance >= limit for chance in chances):
            return False
        if chances:
            self._above = 0
        return True

    def begin(self, frame: int) -> None:
        """Notes that a turn has begun at this frame, which another finder has found."""
        self._start = frame
        self._above = self._silent = 0

    def end(self, frame: int) -> None:
        """Ends the turn, if there is one, because the client committed it."""
        self._stop(frame)

    def _waiting(self, frame: int, chance: float) -> list[Edge]:
        self._above = self._above + 1 if chance >= max(self._rules.threshold, 0.01) else 0
        if self._above < START_FRAMES:
            return []
        self._start = max(frame + 1 - START_FRAMES - self._rules.padding, self._earliest)
        self._silent = self._above = 0
        return [Edge("start", self._start)]

    def _stop(self, frame: int) -> Edge:
        self._start = None
        self._earliest = frame
        self._above = self._silent = 0
        return Edge("stop", frame)


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """A range of frames that is worth transcribing."""

    start: int
    end: int
    """The frame after the last one."""
    full: bool
    """Whether the range ends because it has reached the greatest length."""


def stretch(chances: Sequence[float], threshold: float, *, most: int, pad: int) -> SpeechSpan | None:
    """The first stretch of speech in `chances`, up to the last speech or `most` frames.

    None where nobody speaks. `pad`: frames kept before and after the speech.
    """
    speech = [index for index, chance in enumerate(chances) if chance >= max(threshold, 0.01)]
    if len(speech) < LEAST_SPEECH_FRAMES:
        return None
    start = max(speech[0] - pad, 0)
    end = min(speech[-1] + 1 + pad, len(chances))
    if end - start <= most:
        return SpeechSpan(start, end, full=False)
    return SpeechSpan(start, _quietest(chances, start + most // 2, start + most), full=True)


def _quietest(chances: Sequence[float], low: int, high: int) -> int:
    """The middle of the longest silence among frames low..high; without one the least likely frame."""
    least = min(chances[low:high])
    limit = max(least, 0.2)
    best = (0, low)
    run = 0
    for index in range(low, high):
        run = run + 1 if chances[index] <= limit else 0
        best = max(best, (run, index - run // 2))
    return best[1] + 1
