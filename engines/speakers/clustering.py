"""Clusters the vectors of the speakers of all windows: each cluster is one person.

Average linkage at a mean cosine distance, clusters of few vectors joined with the nearest large one, then
every vector to the nearest centroid: pyannote.audio's agglomerative clustering (Bredin 2023,
https://doi.org/10.21437/Interspeech.2023-105) on scipy.

Law: numbers in, numbers out; deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist

from engines.types import Samples

MERGE_DISTANCE = 0.525
"""Mean cosine distance from which two clusters are two people (docs/decisions/0006-diarization.md)."""
LARGE_CLUSTER = 4
"""Least number of vectors in the cluster of a speaker, if there are many vectors in all."""
LARGE_SHARE = 0.1
"""Least share of all vectors in the cluster of a speaker, if there are few vectors in all."""
FEW_VECTORS = 8
"""With at least so many vectors, a cluster of one vector is not a speaker: windows overlap, so a real speaker
has vectors in several of them.
"""
SOLO_SHARES = (0.15, 0.1, 0.05, 0.0)
"""Least share of a window in which a speaker talks alone, for the vector to be clustered; the next share
is used if no speaker reaches it."""
MOST_VECTORS = 3000
"""The most vectors that are clustered. Of more vectors, an even selection is clustered, because memory grows
with the square of their number.
"""

Labels = NDArray[np.int_]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds on the number of speakers."""

    least: int = 1
    most: int | None = None


def clusters(active: NDArray[np.bool_], vectors: Samples, bounds: Bounds) -> tuple[Labels, Samples]:
    """The cluster of each local speaker (-1 without a vector), and the mean vector of each cluster.

    `active`: (windows, frames, speakers); `vectors`: (windows, speakers, numbers) with one at least that is
    not NaN.
    """
    heard = np.logical_not(np.isnan(vectors).any(axis=2))
    chosen = _chosen(active, heard)
    trained = vectors[chosen]
    own = _cut(trained, bounds)
    centroids = np.stack([trained[own == k].mean(axis=0) for k in range(own.max() + 1)])
    labels = np.full(heard.shape, -1)
    labels[heard] = cdist(vectors[heard], centroids, "cosine").argmin(axis=1)
    return labels, centroids


def _chosen(active: NDArray[np.bool_], heard: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which vectors are clustered: of speakers who talk alone for long enough."""
    alone = active.sum(axis=2, keepdims=True) == 1
    share = (active & alone).mean(axis=1)
    chosen = next(mask for ratio in SOLO_SHARES if (mask := heard & (share >= ratio)).any())
    at = np.flatnonzero(chosen)
    thinned = np.zeros(chosen.size, np.bool_)
    thinned[at[:: -(-len(at) // MOST_VECTORS)]] = True
    return thinned.reshape(chosen.shape)


def _cut(vectors: Samples, bounds: Bounds) -> Labels:
    """The cluster of each vector, numbered from 0, for a cut of the tree at one distance."""
    count = len(vectors)
    least = max(1, min(bounds.least, count))
    most = max(least, min(bounds.most or count, count))
    if count == 1 or most == 1:
        return np.zeros(count, np.int_)
    tree = linkage(vectors, method="average", metric="cosine")
    enough = _enough(count)
    labels = np.asarray(fcluster(tree, MERGE_DISTANCE, criterion="distance") - 1)
    wanted = int(np.clip(len(_large(labels, enough)), least, most))
    if wanted != len(_large(labels, enough)):
        labels = _nearest_cut(tree, wanted, enough)
    return _joined(vectors, labels, enough)


def _enough(count: int) -> int:
    """The least number of vectors in the cluster of a speaker. `count`: number of all vectors."""
    least = 1 if count < FEW_VECTORS else 2
    return min(LARGE_CLUSTER, max(least, round(LARGE_SHARE * count)))


def _nearest_cut(tree: Samples, wanted: int, enough: int) -> Labels:
    """The cut nearest to `MERGE_DISTANCE` with the demanded number of large clusters, or with the closest
    possible number.
    """
    by_step = tree.copy()
    by_step[:, 2] = np.arange(len(tree))
    best, nearest = np.zeros(len(tree) + 1, np.int_), abs(1 - wanted)
    for step in np.argsort(np.abs(tree[:, 2] - MERGE_DISTANCE), kind="stable"):
        if tree[step, 3] < enough:
            continue
        labels = np.asarray(fcluster(by_step, step, criterion="distance") - 1)
        away = abs(len(_large(labels, enough)) - wanted)
        if away < nearest:
            best, nearest = labels, away
        if not away:
            break
    return best


def _large(labels: Labels, enough: int) -> Labels:
    numbers, counts = np.unique(labels, return_counts=True)
    return np.asarray(numbers[counts >= enough])


def _joined(vectors: Samples, labels: Labels, enough: int) -> Labels:
    """Joins each small cluster with the nearest large one."""
    large = _large(labels, enough)
    if not len(large):
        return np.zeros(len(labels), np.int_)
    centroids = np.stack([vectors[labels == k].mean(axis=0) for k in large])
    found = labels.copy()
    for small in np.setdiff1d(labels, large):
        mean = vectors[labels == small].mean(axis=0)
        found[labels == small] = large[cdist(mean[None], centroids, "cosine").argmin()]
    return np.asarray(np.unique(found, return_inverse=True)[1])
