"""Separates two people with similar voices whom the segmentation model took for one speaker of a window.

A window's local speaker is cut into runs (speech without a pause, nobody else speaking), each run becomes a
speaker vector, and runs whose vectors disagree become local speakers of their own. A run that overlapping
windows share is embedded once.

Law: numbers in, numbers out; the network is a function that is passed in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engines.types import Samples

RUN_PAUSE = 0.1
"""Seconds of pause that end a run."""
RUN_PIECE_SECONDS = 1.5
"""A long run is divided into pieces of this length, and their vectors are compared to find two speakers in
it. The borders are multiples of this time in the audio, so that overlapping windows compare the same pieces.
"""
SAME_PERSON_IN_RUN = 0.3
"""Least cosine similarity of two parts of a run; below it, they are of two speakers."""
SHORTEST_RUN = 0.3
"""Least seconds of a run that gets a vector of its own."""
LEAST_SPEECH_SECONDS = 0.2
"""Least seconds of speech for any vector."""
SAME_PERSON = 0.4
"""Least cosine similarity of two runs of one person."""
SAME_RUN = 0.8
"""Least overlap (intersection over union) of two runs in two windows that are the same run."""
SAME_RUN_CUT = 0.9
"""Least share of a run cut by the edge of its window that lies inside a run of another window, for the two to
be the same run."""
MOST_REMEMBERED = 120
"""The most runs and pieces that are remembered; a window has a few dozen at most."""

Mask = NDArray[np.bool_]
EmbedFrames = Callable[[Mask], Samples]
"""A function: a mask of the window's frames -> the unit vector of the speech in these frames."""


@dataclass(slots=True)
class LocalSpeaker:
    """A speaker of one window: the frames in which they speak, and their vector."""

    frames: Mask
    vector: Samples | None
    """None if there was too little speech."""


@dataclass(slots=True)
class _Run:
    begin: int
    end: int
    vector: Samples


@dataclass(slots=True)
class _SpeakerGroup:
    total: Samples
    runs: list[_Run] = field(default_factory=list)


class RunBook:
    """Caches the vectors of the latest runs of one recording."""

    def __init__(self) -> None:
        self._runs: deque[tuple[float, float, Samples]] = deque(maxlen=MOST_REMEMBERED)

    def vector(self, start: float, end: float, make: Callable[[], Samples], *, cut: bool = False) -> Samples:
        """The vector of the run from `start` to `end` seconds of the audio. `cut`: by the window's edge."""
        for known_start, known_end, vector in reversed(self._runs):
            shared = min(end, known_end) - max(start, known_start)
            if shared > 0 and shared / (max(end, known_end) - min(start, known_start)) >= SAME_RUN:
                return vector
            if cut and shared / (end - start) >= SAME_RUN_CUT:
                return vector
        vector = make()
        self._runs.append((start, end, vector))
        return vector


@dataclass(frozen=True, slots=True)
class _Ear:
    """Computes vectors for ranges of frames of one window."""

    start: float
    """Start of the window, in seconds."""
    frame: float
    """Length of a frame in seconds."""
    frames: int
    book: RunBook
    embed: EmbedFrames

    def seconds(self, begin: int, end: int) -> tuple[float, float]:
        return self.start + begin * self.frame, self.start + end * self.frame

    def cut(self, begin: int, end: int) -> tuple[bool, bool]:
        """Whether the window's edge cuts the run at its begin and at its end, so that a neighbouring window
        hears more of it.
        """
        return begin == 0 and self.start > 0, end == self.frames

    def vector(self, begin: int, end: int) -> Samples:
        def make() -> Samples:
            chosen = np.zeros(self.frames, bool)
            chosen[begin:end] = True
            return self.embed(chosen)

        return self.book.vector(*self.seconds(begin, end), make, cut=any(self.cut(begin, end)))


def local_speakers(
    active: Mask, start: float, frame: float, book: RunBook, embed: EmbedFrames
) -> list[LocalSpeaker]:
    """The speakers of one window.

    `active`: (frames, speakers) of the segmentation. `start`: of the window, `frame`: both in seconds.
    """
    ear = _Ear(start, frame, len(active), book, embed)
    alone = active.sum(axis=1) == 1
    found: list[LocalSpeaker] = []
    for column in active.T:
        if column.any():
            found += _split(column, column & alone, ear)
    return found


def _split(active: Mask, clean: Mask, ear: _Ear) -> Iterator[LocalSpeaker]:
    runs = [
        part
        for begin, end in _runs(clean, round(RUN_PAUSE / ear.frame))
        if (end - begin) * ear.frame >= SHORTEST_RUN
        for part in _parts(begin, end, ear)
    ]
    if not runs:
        frames = clean if clean.sum() * ear.frame >= LEAST_SPEECH_SECONDS else active
        yield LocalSpeaker(
            active, ear.embed(frames) if frames.sum() * ear.frame >= LEAST_SPEECH_SECONDS else None
        )
        return
    groups = _grouped(runs)
    owners = _owners(np.flatnonzero(active), groups)
    for number, group in enumerate(groups):
        frames = np.zeros_like(active)
        frames[np.flatnonzero(active)[owners == number]] = True
        yield LocalSpeaker(frames, _unit(group.total))


def _parts(begin: int, end: int, ear: _Ear) -> list[_Run]:
    """Divides a run: a long run is cut into pieces where their vectors show that another person continues."""
    marks = _marks(begin, end, ear)
    vectors = np.stack([ear.vector(a, b) for a, b in pairwise(marks)])
    return [
        _Run(marks[a], marks[b], _unit(vectors[a:b].sum(axis=0))) for a, b in _alike(vectors, 0, len(vectors))
    ]


def _marks(begin: int, end: int, ear: _Ear) -> list[int]:
    """Frames between which the pieces of a run lie. The incomplete piece at the edge of a window is left out:
    a neighbouring window has the complete one.
    """
    start, stop = ear.seconds(begin, end)
    cut_begin, cut_end = ear.cut(begin, end)
    grid = np.arange(math.ceil(start / RUN_PIECE_SECONDS) * RUN_PIECE_SECONDS, stop, RUN_PIECE_SECONDS)
    if stop - start < 2 * RUN_PIECE_SECONDS and (len(grid) < 2 or not (cut_begin or cut_end)):
        return [begin, end]
    inner = [
        t
        for t in grid
        if (cut_begin or t - start >= RUN_PIECE_SECONDS / 2)
        and (cut_end or stop - t >= RUN_PIECE_SECONDS / 2)
    ]
    marks = [round((t - ear.start) / ear.frame) for t in inner]
    return [*([] if cut_begin else [begin]), *marks, *([] if cut_end else [end])]


def _alike(vectors: Samples, begin: int, end: int) -> list[tuple[int, int]]:
    """Stretches of pieces of one speaker each: cut at the place where both sides differ most, if they differ
    enough.
    """
    if end - begin < 2:
        return [(begin, end)]
    likeness = [
        float(_unit(vectors[begin:cut].sum(axis=0)) @ _unit(vectors[cut:end].sum(axis=0)))
        for cut in range(begin + 1, end)
    ]
    if min(likeness) >= SAME_PERSON_IN_RUN:
        return [(begin, end)]
    cut = begin + 1 + int(np.argmin(likeness))
    return [*_alike(vectors, begin, cut), *_alike(vectors, cut, end)]


def _runs(mask: Mask, pause: int) -> list[tuple[int, int]]:
    """Ranges of frames that are set in the mask; gaps of at most `pause` frames do not end a range."""
    at = np.flatnonzero(mask)
    if not len(at):
        return []
    cuts = np.flatnonzero(np.diff(at) > pause)
    begins = [at[0], *at[cuts + 1]]
    ends = [*at[cuts], at[-1]]
    return [(int(begin), int(end) + 1) for begin, end in zip(begins, ends, strict=True)]


def _grouped(runs: list[_Run]) -> list[_SpeakerGroup]:
    """Groups runs by speaker, long runs first: each joins the most similar group, or begins a new one."""
    groups: list[_SpeakerGroup] = []
    for run in sorted(runs, key=lambda run: run.begin - run.end):
        likeness = [float(run.vector @ _unit(group.total)) for group in groups]
        best = int(np.argmax(likeness)) if likeness else -1
        if best < 0 or likeness[best] < SAME_PERSON:
            groups.append(_SpeakerGroup(np.zeros_like(run.vector)))
            best = len(groups) - 1
        groups[best].total = groups[best].total + run.vector * np.float32(run.end - run.begin)
        groups[best].runs.append(run)
    return groups


def _owners(frames: NDArray[np.int_], groups: list[_SpeakerGroup]) -> NDArray[np.int_]:
    """For each frame, the group of the nearest run."""
    runs = [(run.begin, run.end, number) for number, group in enumerate(groups) for run in group.runs]
    begins, ends, numbers = (np.array(values) for values in zip(*runs, strict=True))
    away = np.maximum(np.maximum(begins - frames[:, None], frames[:, None] - ends + 1), 0)
    return np.asarray(numbers[away.argmin(axis=1)])


def _unit(vector: Samples) -> Samples:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
