"""Dynamic time warping over attention."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.whisper.alignment import attention, cheapest_path, normalised, path, smoothed

made = np.random.default_rng(5)


def by_definition(costs: NDArray[np.float64]) -> float:
    """The least sum of the costs of a way, cell by cell."""
    tokens, positions = costs.shape
    totals = np.full((tokens + 1, positions + 1), np.inf)
    totals[0, 0] = 0
    for token, position in itertools.product(range(1, tokens + 1), range(1, positions + 1)):
        before = totals[token - 1, position - 1], totals[token - 1, position], totals[token, position - 1]
        totals[token, position] = costs[token - 1, position - 1] + min(before)
    return float(totals[-1, -1])


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (6, 40), (40, 6)])
def test_no_way_costs_less(size: tuple[int, int]) -> None:
    costs = made.normal(0, 1, size)
    way = cheapest_path(costs)
    assert way[0] == (0, 0)
    assert way[-1] == (size[0] - 1, size[1] - 1)
    steps = {(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(way)}
    assert steps <= {(1, 1), (1, 0), (0, 1)}
    assert sum(costs[cell] for cell in way) == pytest.approx(by_definition(costs))


@pytest.mark.parametrize("positions", [1, 3, 4, 7, 50])
def test_smoothing_takes_the_median_of_seven(positions: int) -> None:
    values = made.normal(0, 1, (3, positions)).astype(np.float32)
    if positions <= 3:  # too few to be mirrored
        assert smoothed(values) is values
        return
    wide = np.pad(values, ((0, 0), (3, 3)), mode="reflect")
    true = np.median(np.lib.stride_tricks.sliding_window_view(wide, 7, axis=1), axis=2)
    assert np.array_equal(smoothed(values), true.astype(np.float32))


def test_attention_is_shared_among_the_positions() -> None:
    queries, keys = (made.normal(0, 1, (count, 8)).astype(np.float32) for count in (4, 30))
    shares = attention(queries, keys)
    true = np.exp(queries @ keys.T)
    assert shares == pytest.approx(true / true.sum(axis=1, keepdims=True), rel=1e-4)


def test_large_logits_are_no_trouble() -> None:
    shares = attention(np.array([[1000.0]], np.float32), np.array([[1.0], [2.0]], np.float32))
    assert shares.tolist() == [[0.0, 1.0]]


def test_attention_is_weighed_among_the_tokens() -> None:
    head = made.normal(3, 2, (9, 20)).astype(np.float32)
    flat = normalised(head)
    assert flat.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert flat.std(axis=0) == pytest.approx(1, abs=1e-4)


def test_a_position_to_which_all_attend_alike_says_nothing() -> None:
    assert np.array_equal(normalised(np.full((4, 5), 0.25, np.float32)), np.zeros((4, 5)))


def test_tokens_are_where_the_heads_attend() -> None:
    """Tokens 2 to 5 attend to ten positions each, one after the other."""
    heads = []
    for _ in range(3):
        head = made.uniform(0, 0.01, (7, 40)).astype(np.float32)
        for token in range(4):
            head[2 + token, 10 * token : 10 * token + 10] += 0.1
        heads.append(head)
    starts: dict[int, int] = {}
    for token, position in path(heads, slice(2, -1)):
        starts.setdefault(token, position)
    assert starts == pytest.approx({0: 0, 1: 10, 2: 20, 3: 30}, abs=3)
