"""Texts that are drawn at random, from scripted likelihoods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.whisper.sampling import SampledTexts, draw, generator

END = 0
Floats = NDArray[np.float32]


def sampled(most: Sequence[int], *, texts: int = 4, temperature: float = 1.0) -> SampledTexts:
    random = [np.random.default_rng(row) for row in range(len(most))]
    return SampledTexts(texts=texts, temperature=temperature, most_tokens=most, end=END, random=random)


def likelihoods(texts: int, chances: Sequence[float]) -> tuple[Floats, NDArray[np.int32]]:
    values = np.log(np.tile(np.array(chances, np.float32), (texts, 1)))
    return values, np.tile(np.arange(len(chances), dtype=np.int32), (texts, 1))


def run(search: SampledTexts, chances: Sequence[float]) -> int:
    """Takes all steps; returns how many."""
    steps = 1
    while search.advance(*likelihoods(len(search.said), chances)):
        steps += 1
    return steps


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    chances = np.array([0.5, 0.3, 0.2])
    drawn = draw(np.log(np.tile(chances, (20_000, 1))).astype(np.float32), np.random.default_rng(0))
    assert np.bincount(drawn) / len(drawn) == pytest.approx(chances, abs=0.02)


def test_impossible_tokens_are_never_drawn() -> None:
    logits = np.full((1_000, 4), -1e30, np.float32)
    logits[:, 2] = -3
    assert (draw(logits, np.random.default_rng(0)) == 2).all()


def test_the_score_is_the_mean_log_probability_with_the_end_token() -> None:
    search = sampled([9], texts=5)
    run(search, [0.25, 0.75])
    (found,) = search.results()
    assert len(found) == 5
    for text in found:
        total = np.log(0.75) * len(text.tokens) + (np.log(0.25) if len(text.tokens) < 9 else 0)
        assert text.score == pytest.approx(total / max(1, len(text.tokens)) if text.tokens else -np.inf)
    assert [text.score for text in found] == sorted((text.score for text in found), reverse=True)


def test_the_texts_of_each_row_are_cut_after_its_most_tokens() -> None:
    search = sampled([2, 5])
    assert run(search, [0.001, 0.999]) == 5
    assert [{len(text.tokens) for text in found} for found in search.results()] == [{2}, {5}]


def test_a_row_draws_the_same_beside_others() -> None:
    def texts(most: Sequence[int], rows: Sequence[int]) -> list[list[tuple[int, ...]]]:
        random = [np.random.default_rng(row) for row in rows]
        search = SampledTexts(texts=3, temperature=1.0, most_tokens=most, end=END, random=random)
        run(search, [0.2, 0.3, 0.3, 0.2])
        return [[text.tokens for text in found] for found in search.results()]

    together = texts([20, 4, 9], [0, 1, 2])
    assert together == [*texts([20], [0]), *texts([4], [1]), *texts([9], [2])]


def test_texts_follow_from_those_that_they_continue() -> None:
    search = sampled([9], texts=6)
    while True:
        before = search.said
        way = search.advance(*likelihoods(len(before), [0.3, 0.4, 0.3]))
        if way is None:
            break
        assert np.array_equal(search.said[:, :-1], before[way.origins])


def test_random_numbers_depend_on_what_was_heard_and_on_the_temperature() -> None:
    keys = np.random.default_rng(0).integers(0, 2**16, (2, 3, 40, 8)).astype(np.uint16)
    longer = np.pad(keys, ((0, 0), (0, 0), (0, 9), (0, 0)))
    first = generator(keys, 0.2).random()
    assert generator(longer, 0.2).random() == first
    assert generator(keys, 0.4).random() != first
    assert generator(keys[:, :, :39], 0.2).random() != first
