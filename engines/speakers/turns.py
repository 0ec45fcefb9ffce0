"""Joins windows whose speakers are known to turns of the whole audio.

Windows overlap, so every frame is judged several times: the number of people who talk is the mean over the
windows, and they are the clusters that most windows name. As in pyannote.audio (Bredin 2023).

Law: numbers in, values out; memory grows with the frames of the audio, a few bytes each.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engines.speakers.clustering import Labels
from engines.speakers.segmentation import FRAME_SPAN, FRAME_STEP, WINDOW_SECONDS

SHORTEST_TURN_SECONDS = 0.05
"""Shorter turns, in seconds, are noise of the segmentation and are dropped."""

SORTED_FRAMES = 65_536
"""Frames that are sorted at once: sorting takes eight bytes for each cluster of each frame."""

Turn = tuple[float, float, int]
"""Start and end in seconds, and the number of the cluster."""


class Frames:
    """For all frames of an audio: how many people talk, and how many windows name each cluster."""

    def __init__(self, active: NDArray[np.bool_], labels: Labels, clusters: int, *, step: float) -> None:
        """`active`: (windows, frames, speakers). `labels`: -1 for nobody. `step`: seconds between windows."""
        count, frames, _ = active.shape
        length = round((WINDOW_SECONDS + (count - 1) * step) / FRAME_STEP) + 1
        self._votes = np.zeros((max(length, frames), clusters), np.uint8)
        talking, windows = np.zeros(len(self._votes), np.float32), np.zeros(len(self._votes), np.float32)
        for number, (local, names) in enumerate(zip(active, labels, strict=True)):
            at = slice(begin := round(number * step / FRAME_STEP), begin + frames)
            talking[at] += local.sum(axis=1)[: len(talking) - begin]
            windows[at] += 1
            for name in np.unique(names[names >= 0]):
                self._votes[at, name] += local[:, names == name].any(axis=1)
        self._count = np.rint(talking / np.maximum(windows, 1)).astype(np.int_)

    def turns(self, seconds: float, *, most: int | None = None) -> list[Turn]:
        """The turns in order. `seconds`: length of the audio. `most`: people who may talk at once."""
        count = np.minimum(self._count, self._votes.shape[1] if most is None else most)
        talks = np.zeros(self._votes.shape, np.bool_)
        for begin in range(0, len(talks), SORTED_FRAMES):
            at = slice(begin, begin + SORTED_FRAMES)
            talks[at] = _named_most(self._votes[at], count[at])
        found = [turn for number in range(talks.shape[-1]) for turn in _turns(talks[:, number], number)]
        return sorted(
            (start, min(end, seconds), number)
            for start, end, number in found
            if min(end, seconds) - start >= SHORTEST_TURN_SECONDS
        )


def _named_most(votes: NDArray[np.uint8], count: NDArray[np.int_]) -> NDArray[np.bool_]:
    """The clusters of each frame: those that most windows name, as many as people talk in it."""
    order = np.argsort(-votes.astype(np.int16), axis=1, kind="stable")
    talks = np.zeros(votes.shape, np.bool_)
    np.put_along_axis(talks, order, np.arange(order.shape[1]) < count[:, None], axis=1)
    talks &= votes > 0
    return talks


def _turns(talks: NDArray[np.bool_], number: int) -> Iterator[Turn]:
    """The turns of one speaker. A turn lasts from the middle of its first frame to the middle of the first
    frame without the speaker.
    """
    edges = np.flatnonzero(np.diff(talks, prepend=False, append=False))
    for begin, end in pairwise(edges.tolist()):
        if talks[begin]:
            yield (
                begin * FRAME_STEP + FRAME_SPAN / 2,
                min(end, len(talks) - 1) * FRAME_STEP + FRAME_SPAN / 2,
                number,
            )
