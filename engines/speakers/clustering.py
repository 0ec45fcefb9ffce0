"""Vectors of the speakers of all windows -> which of them are one person.

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

APART = 0.55
"""Mean cosine distance from which two clusters are two people."""
LEAST = 4
"""Vectors of a cluster that stands by itself, where there are many vectors."""
SHARE = 0.1
"""Share of all vectors that is enough for a cluster where there are few."""
ACTIVE = (0.15, 0.1, 0.05, 0.0)
"""Share of a window in which a speaker talks alone, from which their vector counts; the next one is tried
where nobody reaches it."""
MOST = 3000
"""Vectors that are clustered; more are thinned evenly, because clustering takes memory by their square."""

Labels = NDArray[np.int_]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many people there may be."""

    least: int = 1
    most: int | None = None


def clusters(active: NDArray[np.bool_], vectors: Samples, bounds: Bounds) -> tuple[Labels, Samples]:
    """The number of each local speaker's cluster, -1 for who has no vector, and the clusters' mean vectors.

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
    chosen = next(mask for ratio in ACTIVE if (mask := heard & (share >= ratio)).any())
    at = np.flatnonzero(chosen)
    thinned = np.zeros(chosen.size, np.bool_)
    thinned[at[:: -(-len(at) // MOST)]] = True
    return thinned.reshape(chosen.shape)


def _cut(vectors: Samples, bounds: Bounds) -> Labels:
    """Clusters numbered from 0."""
    count = len(vectors)
    least = max(1, min(bounds.least, count))
    most = max(least, min(bounds.most or count, count))
    if count == 1 or most == 1:
        return np.zeros(count, np.int_)
    tree = linkage(vectors, method="average", metric="cosine")
    enough = min(LEAST, max(1, round(SHARE * count)))
    labels = np.asarray(fcluster(tree, APART, criterion="distance") - 1)
    wanted = int(np.clip(len(_large(labels, enough)), least, most))
    if wanted != len(_large(labels, enough)):
        labels = _nearest_cut(tree, wanted, enough)
    return _joined(vectors, labels, enough)


def _nearest_cut(tree: Samples, wanted: int, enough: int) -> Labels:
    """The cut nearest to `APART` that gives so many large clusters, or as nearly so many as there is."""
    by_step = tree.copy()
    by_step[:, 2] = np.arange(len(tree))
    best, nearest = np.zeros(len(tree) + 1, np.int_), abs(1 - wanted)
    for step in np.argsort(np.abs(tree[:, 2] - APART), kind="stable"):
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
    """Small clusters become a part of the large one that is nearest."""
    large = _large(labels, enough)
    if not len(large):
        return np.zeros(len(labels), np.int_)
    centroids = np.stack([vectors[labels == k].mean(axis=0) for k in large])
    found = labels.copy()
    for small in np.setdiff1d(labels, large):
        mean = vectors[labels == small].mean(axis=0)
        found[labels == small] = large[cdist(mean[None], centroids, "cosine").argmin()]
    return np.asarray(np.unique(found, return_inverse=True)[1])
