"""Divides decoded tokens into phrases, by the timestamps that Whisper writes between them.

Law: pure. A pair of timestamps ends one phrase and begins the next. A single timestamp at the very end says
that nothing follows; without it the last phrase may be cut off, and the next round begins at its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

TIMESTAMP_SECONDS = 0.02
"""Seconds between two timestamps."""
FRAMES_PER_TIMESTAMP = 2


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens between two timestamps."""

    start: float
    """Seconds from the start of the round."""
    end: float
    """Seconds from the start of the round."""
    tokens: tuple[int, ...]
    first: int
    """Index of its first token in the decoded sequence."""
    seek: int = 0
    """Where the round began: frames from the start of the window."""


class Marks(Protocol):
    """The part of the vocabulary that this module needs."""

    eot: int
    timestamps: int

    def decode(self, tokens: Sequence[int]) -> str: ...


def split_phrases(
    tokens: Sequence[int], frames: int, marks: Marks, *, min_rest: int
) -> tuple[list[Phrase], int]:
    """The phrases of a round of `frames` frames, and how many of its frames they cover.

    If fewer than `min_rest` frames would be left for the next round, the last phrase belongs to this round,
    although Whisper has not written its end.
    """
    cuts = _cuts(tokens, marks)
    closed = len(tokens) >= 2 and _is_time(tokens[-1], marks) and not _is_time(tokens[-2], marks)
    last = cuts[-1] if cuts else 0
    used = frames if closed or not cuts else (tokens[last - 1] - marks.timestamps) * FRAMES_PER_TIMESTAMP
    if (
        frames - used < min_rest or closed or not used
    ):  # without this check a round that covers nothing would be repeated forever
        cuts, used = [*cuts, len(tokens)], frames
    slices = zip([0, *cuts], cuts, strict=False)
    phrases = [_phrase(tokens[a:b], a, frames, marks) for a, b in slices if b > a]
    return [p for p in phrases if p.end > p.start and marks.decode(p.tokens).strip()], used


def _is_time(token: int, marks: Marks) -> bool:
    return token >= marks.timestamps


def _cuts(tokens: Sequence[int], marks: Marks) -> list[int]:
    """Indices of timestamps that follow a timestamp."""
    pairs = range(1, len(tokens))
    return [i for i in pairs if _is_time(tokens[i], marks) and _is_time(tokens[i - 1], marks)]


def _phrase(tokens: Sequence[int], first: int, frames: int, marks: Marks) -> Phrase:
    whole = frames / FRAMES_PER_TIMESTAMP * TIMESTAMP_SECONDS
    times = [(token - marks.timestamps) * TIMESTAMP_SECONDS for token in tokens if _is_time(token, marks)]
    starts = _is_time(tokens[0], marks)
    start = times[0] if starts else 0.0
    ends = len(times) > (1 if starts else 0) and times[-1] > start
    return Phrase(start, min(times[-1], whole) if ends else whole, tuple(tokens), first)
