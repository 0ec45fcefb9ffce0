"""Texts that are drawn at random, from scripted likelihoods."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.whisper.sampling import (
    LONGEST_REPEATED,
    REPEATED_TAIL,
    Needs,
    SampledTexts,
    draw,
    generators,
    repeats,
)

END = 0
ANYTHING = Needs(lambda _: False, -np.inf)
Floats = NDArray[np.float32]


def sampled(most: int, *, texts: Sequence[int] = range(4), needs: Needs = ANYTHING) -> SampledTexts:
    random = [np.random.default_rng(text) for text in texts]
    return SampledTexts(temperature=1.0, most_tokens=most, end=END, random=random, needs=needs)


def likelihoods(texts: int, chances: Sequence[float]) -> tuple[Floats, NDArray[np.int32]]:
    values = np.log(np.tile(np.array(chances, np.float32), (texts, 1)))
    return values, np.tile(np.arange(len(chances), dtype=np.int32), (texts, 1))


def run(search: SampledTexts, chances: Sequence[float]) -> list[tuple[int, ...]]:
    """Takes all steps; returns the texts."""
    while search.advance(*likelihoods(len(search.said), chances)):
        pass
    return [text.tokens for text in search.results()]


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    chances = np.array([0.5, 0.3, 0.2])
    thrown = np.random.default_rng(0).random(20_000)
    drawn = draw(np.log(np.tile(chances, (20_000, 1))).astype(np.float32), 1.0, thrown)
    assert np.bincount(drawn) / len(drawn) == pytest.approx(chances, abs=0.02)


def test_a_temperature_makes_likely_tokens_likelier_or_less_so() -> None:
    logits = np.log(np.tile([0.8, 0.2], (20_000, 1))).astype(np.float32)
    thrown = np.random.default_rng(0).random(20_000)
    assert (draw(logits, 0.5, thrown) == 1).mean() == pytest.approx(0.04 / 0.68, abs=0.01)


@pytest.mark.parametrize("temperature", [1.0, 1e-12, 1e-300, 5e-324])
def test_impossible_tokens_are_never_drawn(temperature: float) -> None:
    logits = np.full((1_000, 4), -1e30, np.float32)
    logits[:, 2] = -3
    assert (draw(logits, temperature, np.random.default_rng(0).random(1_000)) == 2).all()


def test_the_score_is_the_mean_log_probability_with_the_end_token() -> None:
    search = sampled(9, texts=range(5))
    run(search, [0.25, 0.75])
    found = search.results()
    assert len(found) == 5
    for text in found:
        total = np.log(0.75) * len(text.tokens) + (np.log(0.25) if len(text.tokens) < 9 else 0)
        assert text.score == pytest.approx(total / len(text.tokens) if text.tokens else -np.inf)
    assert [text.score for text in found] == sorted((text.score for text in found), reverse=True)


def test_texts_are_cut_after_the_most_tokens() -> None:
    assert {len(text) for text in run(sampled(5), [0.001, 0.999])} == {5}


def scripted(needs: Needs, *texts: list[int]) -> list[tuple[int, ...]]:
    """Takes all steps; the tokens of each text are certain. Returns the texts."""
    search, alive = sampled(100, texts=range(len(texts)), needs=needs), list(range(len(texts)))
    for place in itertools.count():
        wanted = [texts[text][place] for text in alive[: len(search.said)]]
        values = np.full((len(wanted), 4), -100, np.float32)
        values[np.arange(len(wanted)), wanted] = 0
        way = search.advance(values, np.tile(np.arange(4, dtype=np.int32), (len(wanted), 1)))
        if way is None:
            break
        alive = [alive[origin] for origin in way.origins] if place else alive
    return [text.tokens for text in search.results()]


LOOP, SHORT = [1] * 100, [1, 2, 3, END]


def test_a_text_that_repeats_itself_ends_once_it_counts_as_a_loop_beside_a_good_one() -> None:
    needs = Needs(lambda text: len(text) >= 40, -1.0)
    assert sorted(scripted(needs, LOOP, SHORT, LOOP), key=len) == [(1, 2, 3), (1,) * 40, (1,) * 40]


@pytest.mark.parametrize("least_score", [-1.0, 1.0])
def test_without_a_good_text_beside_it_each_text_goes_on(least_score: float) -> None:
    needs = Needs(lambda text: len(text) >= 40 or least_score < 0, least_score)
    assert sorted(len(text) for text in scripted(needs, LOOP, SHORT)) == [3, 100]


def test_a_text_that_does_not_repeat_itself_goes_on() -> None:
    other = [1, 2, 3, 3, 2, 1, 2, 2, 1, 3] * 10
    needs = Needs(lambda text: len(text) > 3, -1.0)
    assert sorted(len(text) for text in scripted(needs, other, SHORT)) == [3, 100]


@pytest.mark.parametrize("period", range(1, LONGEST_REPEATED + 2))
def test_texts_that_repeat_a_few_tokens_are_found(period: int) -> None:
    text = np.resize(np.arange(period, dtype=np.int32), 70)
    assert repeats(text) == (period <= LONGEST_REPEATED)
    assert not repeats(text[: REPEATED_TAIL - 1])
    assert not repeats(np.append(text, 99).astype(np.int32))


def test_a_text_does_not_depend_on_the_others_of_its_row() -> None:
    chances = [0.2, 0.3, 0.3, 0.2]
    together = run(sampled(20), chances)
    alone = [run(sampled(20, texts=[text]), chances) for text in range(4)]
    assert sorted(together) == sorted(text for (text,) in alone)


def test_what_is_drawn_does_not_depend_on_the_order_of_candidates() -> None:
    values, tokens = likelihoods(1, [0.1, 0.4, 0.4, 0.1])
    other = [3, 2, 0, 1]
    for seed in range(50):
        drawn = []
        for order in ([0, 1, 2, 3], other):
            search = sampled(1, texts=[seed])
            search.advance(values[:, order], tokens[:, order])
            drawn.append(search.results()[0].tokens)
        assert drawn[0] == drawn[1]


def test_texts_follow_from_those_that_they_continue() -> None:
    search = sampled(9, texts=range(6))
    while True:
        before = search.said
        way = search.advance(*likelihoods(len(before), [0.3, 0.4, 0.3]))
        if way is None:
            break
        assert np.array_equal(search.said[:, :-1], before[way.origins])


def test_random_numbers_depend_on_what_was_heard_on_the_temperature_and_on_the_text() -> None:
    keys = np.random.default_rng(0).integers(0, 2**16, (2, 3, 40, 8)).astype(np.uint16)
    cases = [(keys, 0.2), (keys, 0.4), (keys[:, :, :39], 0.2), (keys, 5e-324)]
    thrown = [[one.random() for one in generators(*case, 3)] for case in cases]
    assert len({number for numbers in thrown for number in numbers}) == 12
    assert [one.random() for one in generators(keys, 0.2, 3)] == thrown[0]
