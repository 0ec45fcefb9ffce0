"""Beam search over several rows at once, with the same results as that of CTranslate2.

As in CTranslate2 4.8 (`BeamSearch::search` in src/decoding.cc, with a length penalty of 1 and a patience of
1): of twice as many candidates as beams, those that end among the first ones are finished texts, and the next
candidates take their places. A row is finished when it has as many finished texts as beams. With one beam it
is a greedy search.

Law: pure; no model is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.whisper.timestamp_rules import Floats, Tokens


@dataclass(frozen=True, slots=True)
class FoundText:
    """A finished text."""

    tokens: tuple[int, ...]
    """Without the end token."""
    score: float
    """The sum of the log-probabilities, the end token included, divided by the number of `tokens`."""
    logprobs: tuple[float, ...] = ()
    """The log-probability of each of the `tokens`."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """How the texts of the next step follow from those of this step."""

    origins: NDArray[np.int32]
    """For each text of the next step, the text that it continues: (rows * beams,)."""
    rows: list[int]
    """For each row of the next step, its place in this step."""


class BeamSearch:
    """The unfinished texts of a search: one for each row in the first step, then `beams` for each row."""

    def __init__(self, *, beams: int, most_tokens: Sequence[int], end: int) -> None:
        """`most_tokens`: the text of each row is cut after so many. `end`: the token that ends a text."""
        rows = len(most_tokens)
        self._beams = beams
        self._most_tokens = most_tokens
        self._end = end
        self._rows = list(range(rows))
        self._scores: Floats = np.zeros((rows, 1), np.float32)
        self._sums: Floats = np.zeros((rows, 0), np.float32)
        """The scores of the texts after each of their tokens: (texts, tokens)."""
        self._found: list[list[FoundText]] = [[] for _ in range(rows)]
        self.said: Tokens = np.zeros((rows, 0), np.int32)
        """The tokens so far: (texts, tokens). The texts of a row stand together."""

    def advance(self, log_probabilities: Floats, tokens: Tokens) -> Continuation | None:
        """Takes one step; None when all rows are finished.

        `log_probabilities` of candidates after each text, and their `tokens`: (texts, candidates), with at
        least `2 * beams` candidates.
        """
        rows, each = self._scores.shape
        totals = (self._scores[:, :, None] + log_probabilities.reshape(rows, each, -1)).reshape(rows, -1)
        best = _likeliest(totals, 2 * self._beams)
        scores = np.take_along_axis(totals, best, axis=1)
        chosen = np.take_along_axis(tokens.reshape(rows, -1), best, axis=1)
        origins = best // tokens.shape[1] + each * np.arange(rows)[:, None]
        texts = np.concatenate([self.said[origins], chosen[:, :, None]], axis=2)
        sums = np.concatenate([self._sums[origins], scores[:, :, None]], axis=2)
        kept = [self._settle(place, sums[place], texts[place]) for place in range(rows)]
        order = fill_gaps([one is not None for one in kept])
        if not order:
            return None
        places = np.array([kept[place] for place in order])
        at = np.array(order)[:, None], places
        self._rows = [self._rows[place] for place in order]
        self._scores = scores[at]
        self._sums = sums[at].reshape(len(order) * self._beams, -1)
        self.said = texts[at].reshape(len(order) * self._beams, -1)
        return Continuation(origins[at].reshape(-1).astype(np.int32), order)

    def results(self) -> list[FoundText]:
        """The likeliest text of each row."""
        return [max(found, key=lambda text: text.score) for found in self._found]

    def _settle(self, place: int, sums: Floats, texts: Tokens) -> list[int] | None:
        """Keeps the finished texts of a row; returns the candidates that go on, None if the row is finished.

        `texts` of the candidates, the likeliest first, and their scores after each token.
        """
        row = self._rows[place]
        found = self._found[row]
        last = texts.shape[1] == self._most_tokens[row]
        ended = [bool(one) for one in texts[:, -1] == self._end]
        spare = iter([number for number in range(self._beams, len(texts)) if not ended[number]])
        kept = []
        for number in range(self._beams):
            if ended[number] or last:
                found.append(finished(texts[number], sums[number], ended=ended[number]))
            kept.append(next(spare, number) if ended[number] else number)
        return None if last or len(found) >= self._beams else kept


def finished(text: Tokens, sums: Floats, *, ended: bool) -> FoundText:
    """`sums`: the log-probability of the text after each token. `ended`: whether the last one is the end."""
    tokens = tuple(int(token) for token in (text[:-1] if ended else text))
    each = tuple(float(one) for one in np.diff(sums, prepend=np.float32(0))[: len(tokens)])
    return FoundText(tokens, float(sums[-1]) / len(tokens) if tokens else -np.inf, each)


def _likeliest(scores: Floats, count: int) -> NDArray[np.int64]:
    """The places of the `count` highest scores of each row, the highest first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def fill_gaps(goes_on: Sequence[bool]) -> list[int]:
    """The places of the rows that go on. The last ones take the places of finished rows, so that as few as
    possible move.
    """
    count = sum(goes_on)
    movers = iter([place for place in range(count, len(goes_on)) if goes_on[place]])
    return [place if goes_on[place] else next(movers) for place in range(count)]
