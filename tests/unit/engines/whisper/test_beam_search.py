"""The beam search, beside one that is written text by text from CTranslate2's `BeamSearch::search`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.whisper.beam_search import BeamSearch, FoundText, fill_gaps

END, TOKENS = 0, 24
Model = Callable[[int, tuple[int, ...]], NDArray[np.float32]]
"""The log-probabilities of all tokens after a text of a row."""


def floats(values: list[list[float]]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def tokens(values: list[list[int]]) -> NDArray[np.int32]:
    return np.array(values, np.int32)


def random_model(seed: int, ends: float) -> Model:
    def after(row: int, text: tuple[int, ...]) -> NDArray[np.float32]:
        logits = np.random.default_rng([seed, row, *text]).normal(0, 2, TOKENS)
        logits[END] += ends
        return np.asarray(logits - np.log(np.exp(logits).sum()), np.float32)

    return after


def searched(model: Model, rows: int, beams: int, most: int) -> list[FoundText]:
    search = BeamSearch(beams=beams, most_tokens=[most] * rows, end=END)
    owners = list(range(rows))
    while True:
        each = len(search.said) // len(owners)
        values = np.stack(
            [model(owners[at // each], tuple(map(int, text))) for at, text in enumerate(search.said)]
        )
        before = search.said
        way = search.advance(values, np.tile(np.arange(TOKENS, dtype=np.int32), (len(values), 1)))
        if way is None:
            return search.results()
        owners = [owners[place] for place in way.rows]
        assert np.array_equal(search.said[:, :-1], before[way.origins])


def expected(model: Model, row: int, beams: int, most: int) -> FoundText:
    alive: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    found: list[FoundText] = []
    for step in range(most):
        totals = [
            ((*text, token), score + float(value))
            for text, score in alive
            for token, value in enumerate(model(row, text))
        ]
        candidates = sorted(totals, key=lambda one: -one[1])[: 2 * beams]
        spare, alive = [one for one in candidates[beams:] if one[0][-1] != END], []
        for text, score in candidates[:beams]:
            ended = text[-1] == END
            if ended or step + 1 == most:
                kept = text[:-1] if ended else text
                found.append(FoundText(kept, score / len(kept) if kept else -np.inf))
            alive.append(spare.pop(0) if ended and spare else (text, score))
        if len(found) >= beams:
            break
    return max(found, key=lambda one: one.score)


@settings(max_examples=40)
@given(st.integers(0, 2**20), st.integers(1, 4), st.integers(1, 5), st.sampled_from([-1.0, 2.0, 5.0]))
def test_it_finds_what_ctranslate2_finds(seed: int, rows: int, beams: int, ends: float) -> None:
    model = random_model(seed, ends)
    for row, text in enumerate(searched(model, rows, beams, 8)):
        true = expected(model, row, beams, 8)
        assert text.tokens == true.tokens
        assert text.score == pytest.approx(true.score, abs=1e-4)


def test_a_finished_text_gives_its_place_to_the_next_candidate() -> None:
    search = BeamSearch(beams=2, most_tokens=[9], end=END)
    way = search.advance(floats([[-1, -2, -3, -4]]), tokens([[1, END, 2, 3]]))
    assert way
    assert search.said.tolist() == [[1], [2]]
    assert way.origins.tolist() == [0, 0]


def test_texts_follow_from_the_texts_that_they_continue() -> None:
    search = BeamSearch(beams=2, most_tokens=[9], end=END)
    search.advance(floats([[-1, -2, -3, -4]]), tokens([[1, 2, 3, 4]]))
    way = search.advance(floats([[-9, -9, -9, -9], [-1, -2, -7, -8]]), tokens([[5, 6, 7, 8]] * 2))
    assert way
    assert way.origins.tolist() == [1, 1]
    assert search.said.tolist() == [[2, 5], [2, 6]]


def test_a_text_is_cut_after_the_most_tokens() -> None:
    search = BeamSearch(beams=1, most_tokens=[2], end=END)
    assert search.advance(floats([[-1, -2]]), tokens([[5, 6]]))
    assert search.advance(floats([[-1, -2]]), tokens([[7, 8]])) is None
    assert search.results() == [FoundText((5, 7), -1.0, (-1.0, -1.0))]


def test_tokens_have_their_own_log_probabilities() -> None:
    """A text whose first token is less likely wins with its second one."""
    search = BeamSearch(beams=2, most_tokens=[3], end=END)
    search.advance(floats([[-1, -2, -3, -4]]), tokens([[1, 2, 3, 4]]))
    search.advance(floats([[-9, -9, -9, -9], [-1, -2, -7, -8]]), tokens([[5, 6, 7, 8]] * 2))
    assert search.advance(floats([[-0.5, -4, -5, -6]] * 2), tokens([[END, 5, 6, 7]] * 2)) is None
    (text,) = search.results()
    assert (text.tokens, text.logprobs) == ((2, 5), (-2, -1))
    assert text.score == pytest.approx((-2 - 1 - 0.5) / 2)


def test_an_empty_text_is_the_least_likely() -> None:
    search = BeamSearch(beams=1, most_tokens=[2], end=END)
    assert search.advance(floats([[-1, -2]]), tokens([[END, 6]])) is None
    assert search.results() == [FoundText((), -np.inf)]


def test_finished_rows_are_replaced_by_the_last_ones() -> None:
    assert fill_gaps([True, True, True]) == [0, 1, 2]
    assert fill_gaps([False, True, False, True, True]) == [3, 1, 4]
    assert fill_gaps([True, False]) == [0]
    assert fill_gaps([False, False]) == []
