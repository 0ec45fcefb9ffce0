"""The features of a batch are computed at once where a GPU would wait for them."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from engines.types import Samples
from engines.whisper.features import Features


class Extractor:
    """A fake feature extractor: the features of a sound are its first sample, four times. It waits until all
    calls of a round run at once.
    """

    hop_length = 160
    stft = None

    def __init__(self, together: int) -> None:
        self.meeting = threading.Barrier(together, timeout=30)
        self.threads: set[int] = set()

    def __call__(
        self, samples: np.ndarray[Any, np.dtype[np.float32]]
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        self.threads.add(threading.get_ident())
        self.meeting.wait()
        return np.full((2, 2), samples[0], np.float64)


def sounds(count: int) -> list[Samples]:
    return [np.full(160, number, np.float32) for number in range(count)]


def test_features_of_a_batch_are_computed_at_once_and_in_order() -> None:
    extractor = Extractor(together=4)
    features = Features(cast("Any", extractor), threads=4)
    made = features.of_all(sounds(4))
    assert [one[0, 0] for one in made] == [0, 1, 2, 3]
    assert {one.dtype for one in made} == {np.dtype(np.float32)}
    assert len(extractor.threads) == 4
    features.close()


@pytest.mark.parametrize(("threads", "count"), [(1, 3), (4, 1), (4, 0)])
def test_beside_a_cpu_and_for_one_window_there_are_no_threads(threads: int, count: int) -> None:
    extractor = Extractor(together=1)
    features = Features(cast("Any", extractor), threads=threads)
    assert len(features.of_all(sounds(count))) == count
    assert extractor.threads <= {threading.get_ident()}
    features.close()


@pytest.mark.parametrize("samples", [201, 16_000, 80_000 - 160, 80_000, 80_001, 480_000])
def test_spectra_in_pieces_are_the_same(samples: int) -> None:
    sound = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    extractor = FeatureExtractor()
    assert np.array_equal(Features(extractor, 1).of(sound), extractor(sound)[:, :3000])


def test_spectra_in_pieces_take_half_of_the_memory() -> None:
    extractor, sound = FeatureExtractor(), np.zeros(480_000, np.float32)
    whole = most_of(partial(extractor, sound))
    assert most_of(partial(Features(extractor, 1).of, sound)) < 0.6 * whole


def most_of(work: Callable[[], object]) -> int:
    """The most bytes that Python and NumPy take meanwhile."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
