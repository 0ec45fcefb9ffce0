"""What a segmentation model calls one speaker of a window may be two of similar voice: tell them apart.

A window's local speaker is cut into runs (speech without a pause, nobody else speaking), each run becomes a
speaker vector, and runs whose vectors disagree become local speakers of their own. A run that overlapping
windows share is embedded once.

Law: numbers in, numbers out; the network is a function that is passed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.types import Samples

PAUSE = 0.25
"""Seconds without the speaker that end a run."""
SHORTEST = 0.5
"""Seconds from which a run is embedded by itself."""
LEAST = 0.2
"""Seconds of speech without which there is no vector at all."""
ALIKE = 0.4
"""Cosine from which two runs of a local speaker are one speaker's."""
SAME_RUN = 0.8
"""Shared part (intersection over union) from which runs of two windows are one run."""
REMEMBERED = 60

Mask = NDArray[np.bool_]
Embed = Callable[[Mask], Samples]
"""Frames of the window -> a unit vector of what is said in them."""


@dataclass(slots=True)
class LocalSpeaker:
    """Somebody in a window: the frames in which they speak, and their vector."""

    frames: Mask
    vector: Samples | None
    """None: too little speech for one."""


@dataclass(slots=True)
class _Run:
    begin: int
    end: int
    vector: Samples


@dataclass(slots=True)
class _Group:
    total: Samples
    runs: list[_Run] = field(default_factory=list)


class RunBook:
    """Remembers the vectors of the latest runs of one audio."""

    def __init__(self) -> None:
        self._runs: deque[tuple[float, float, Samples]] = deque(maxlen=REMEMBERED)

    def vector(self, start: float, end: float, make: Callable[[], Samples]) -> Samples:
        """The vector of the run from `start` to `end` seconds of the audio."""
        for known_start, known_end, vector in reversed(self._runs):
            shared = min(end, known_end) - max(start, known_start)
            if shared > 0 and shared / (max(end, known_end) - min(start, known_start)) >= SAME_RUN:
                return vector
        vector = make()
        self._runs.append((start, end, vector))
        return vector


def local_speakers(
    active: Mask, start: float, frame: float, book: RunBook, embed: Embed
) -> list[LocalSpeaker]:
    """The speakers of one window.

    `active`: (frames, speakers) of the segmentation. `start`: of the window, `frame`: both in seconds.
    """
    alone = active.sum(axis=1) == 1
    found: list[LocalSpeaker] = []
    for column in active.T:
        if column.any():
            found += _split(column, column & alone, start, frame, book, embed)
    return found


def _split(
    active: Mask, clean: Mask, start: float, frame: float, book: RunBook, embed: Embed
) -> Iterator[LocalSpeaker]:
    runs = []
    for begin, end in _runs(clean, round(PAUSE / frame)):
        if (end - begin) * frame >= SHORTEST:
            chosen = np.zeros_like(active)
            chosen[begin:end] = True
            span = (start + begin * frame, start + end * frame)
            runs.append(_Run(begin, end, book.vector(*span, lambda frames=chosen: embed(frames))))  # type: ignore[misc]
    if not runs:
        frames = clean if clean.sum() * frame >= LEAST else active
        yield LocalSpeaker(active, embed(frames) if frames.sum() * frame >= LEAST else None)
        return
    groups = _grouped(runs)
    owners = _owners(np.flatnonzero(active), groups)
    for number, group in enumerate(groups):
        frames = np.zeros_like(active)
        frames[np.flatnonzero(active)[owners == number]] = True
        yield LocalSpeaker(frames, _unit(group.total))


def _runs(mask: Mask, pause: int) -> list[tuple[int, int]]:
    """Stretches of frames that are set, across gaps of at most `pause` frames."""
    at = np.flatnonzero(mask)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(at) > pause)
    begins = [at[0], *at[cuts + 1]]
    ends = [*at[cuts], at[-1]]
    return [(int(begin), int(end) + 1) for begin, end in zip(begins, ends, strict=True)]


def _grouped(runs: list[_Run]) -> list[_Group]:
    """Long runs first: each joins the group that it is most like, or begins one."""
    groups: list[_Group] = []
    for run in sorted(runs, key=lambda run: run.begin - run.end):
        likeness = [float(run.vector @ _unit(group.total)) for group in groups]
        best = int(np.argmax(likeness)) if likeness else -1
        if best < 0 or likeness[best] < ALIKE:
            groups.append(_Group(np.zeros_like(run.vector)))
            best = len(groups) - 1
        groups[best].total = groups[best].total + run.vector * np.float32(run.end - run.begin)
        groups[best].runs.append(run)
    return groups


def _owners(frames: NDArray[np.int_], groups: list[_Group]) -> NDArray[np.int_]:
    """For each frame, the group whose run is nearest."""
    runs = [(run.begin, run.end, number) for number, group in enumerate(groups) for run in group.runs]
    begins, ends, numbers = (np.array(values) for values in zip(*runs, strict=True))
    away = np.maximum(np.maximum(begins - frames[:, None], frames[:, None] - ends + 1), 0)
    return np.asarray(numbers[away.argmin(axis=1)])


def _unit(vector: Samples) -> Samples:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
