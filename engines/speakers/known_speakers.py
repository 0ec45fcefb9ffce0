"""Finds the clusters that are known speakers, which the request names.

Law: numbers and names in, a `Diarization` out; the same for every diarizer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from engines.types import Diarization, KnownSpeaker, Samples, SpeakerTurn

KNOWN_SIMILARITY = 0.5
"""Least cosine similarity of a cluster to a known speaker (docs/decisions/0006-diarization.md)."""


def diarization(
    turns: Sequence[tuple[float, float, int]],
    exclusive: Sequence[tuple[float, float, int]],
    centroids: Samples,
    known: Sequence[KnownSpeaker],
) -> Diarization:
    """A `Diarization` in which speakers are numbered in the order of their first turns.

    A turn is (start, end, row of `centroids`). `exclusive`: turns of which no two overlap.
    """
    order = {row: number for number, row in enumerate(dict.fromkeys(turn[2] for turn in turns))}
    return Diarization(
        tuple(SpeakerTurn(start, end, order[row]) for start, end, row in turns),
        tuple(SpeakerTurn(start, end, order[row]) for start, end, row in exclusive if row in order),
        names([centroids[row] for row in order], known),
    )


def names(centroids: Sequence[Samples], known: Sequence[KnownSpeaker]) -> tuple[str | None, ...]:
    """The name of the known speaker of each cluster, or None: the one-to-one assignment with the greatest sum
    of cosine similarities.
    """
    found: list[str | None] = [None] * len(centroids)
    if not known or not centroids:
        return tuple(found)
    table = np.array([[_cosine(centroid, one.vector) for one in known] for centroid in centroids])
    likely = np.where(table >= KNOWN_SIMILARITY, table, 0.0)
    for cluster, person in zip(*linear_sum_assignment(likely, maximize=True), strict=True):
        if likely[cluster, person]:
            found[cluster] = known[person].name
    return tuple(found)


def _cosine(one: Samples, two: Samples) -> float:
    """The cosine similarity of two vectors; -1 if one of them has length 0 or contains NaN."""
    size = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(one @ two) / size if size > 0 else -1.0
