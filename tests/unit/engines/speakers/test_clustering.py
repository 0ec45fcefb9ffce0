from __future__ import annotations

import numpy as np
import pytest

from engines.speakers.clustering import Bounds, clusters
from engines.types import Samples


def people(
    count: int, each: int, seed: int = 1, spread: float = 0.3
) -> tuple[np.ndarray, Samples, np.ndarray]:
    """Windows with one speaker each, who take turns: activity, vectors, and the true
    speaker of each window.
    """
    chance = np.random.default_rng(seed)
    centres = np.eye(count, 32)
    who = np.arange(count * each) % count
    vectors = centres[who] + chance.normal(0, spread / np.sqrt(32), (len(who), 32))
    active = np.ones((len(who), 10, 1), bool)
    return active, np.asarray(vectors[:, None], np.float32), who


@pytest.mark.parametrize("count", [1, 2, 5])
def test_people_are_told_apart(count: int) -> None:
    active, vectors, who = people(count, 12)
    labels, centroids = clusters(active, vectors, Bounds())
    assert len(centroids) == count
    assert len({(a, b) for a, b in zip(who, labels[:, 0], strict=True)}) == count


def test_the_number_can_be_given() -> None:
    active, vectors, _ = people(4, 12)
    assert len(clusters(active, vectors, Bounds(2, 2))[1]) == 2
    assert len(clusters(active, vectors, Bounds(most=3))[1]) == 3
    assert len(clusters(active, vectors, Bounds(most=1))[1]) == 1


def test_people_who_sound_alike_are_told_apart_where_the_number_is_given() -> None:
    active, vectors, who = people(4, 12, spread=0.1)
    vectors[who == 1] = 0.5 * vectors[who == 1] + 0.5 * vectors[who == 0].mean(axis=0)
    assert len(clusters(active, vectors, Bounds())[1]) == 3
    assert len(clusters(active, vectors, Bounds(least=4))[1]) == 4


def test_more_people_than_vectors() -> None:
    active, vectors, _ = people(1, 2)
    assert len(clusters(active, vectors, Bounds(8, 8))[1]) <= 2
    one, alone = active[:1], vectors[:1]
    assert clusters(one, alone, Bounds(3, 3))[0].tolist() == [[0]]


def test_a_few_stray_vectors_are_nobody_new() -> None:
    active, vectors, _ = people(2, 20)
    stray = np.zeros((2, 1, 32), np.float32)
    stray[:, 0, 30] = 1
    stray[:, 0, 0] = 0.3
    labels, centroids = clusters(
        np.concatenate([active, active[:2]]), np.concatenate([vectors, stray]), Bounds()
    )
    assert len(centroids) == 2
    assert labels[-1, 0] == labels[0, 0]


def test_a_single_vector_is_a_speaker_only_where_there_are_few() -> None:
    def heard(each: int) -> int:
        active, vectors, _ = people(1, each)
        other = np.eye(2, 32, dtype=np.float32)[1:, None]
        both = np.concatenate([active, active[:1]]), np.concatenate([vectors, other])
        return len(clusters(*both, Bounds())[1])

    assert heard(3) == 2
    assert heard(9) == 1


def test_who_has_no_vector_has_no_cluster() -> None:
    active, vectors, _ = people(2, 8)
    vectors[3] = np.nan
    labels, _ = clusters(active, vectors, Bounds())
    assert labels[3, 0] == -1
    assert (np.delete(labels, 3) >= 0).all()


def test_people_who_never_speak_alone_still_count() -> None:
    _, vectors, _ = people(2, 8)
    together = np.ones((8, 10, 2), bool)
    labels, centroids = clusters(together, vectors.reshape(8, 2, 32), Bounds())
    assert len(centroids) == 2
    assert (labels[:, 0] != labels[:, 1]).all()


def test_many_vectors_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.speakers.clustering.MOST_VECTORS", 50)
    active, vectors, who = people(3, 101)
    labels, centroids = clusters(active, vectors, Bounds())
    assert len(centroids) == 3
    assert len({(a, b) for a, b in zip(who, labels[:, 0], strict=True)}) == 3
