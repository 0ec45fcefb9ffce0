"""Texts that are drawn at random, as Whisper does where a search found no good one (Radford et al. 2022,
section 4.5).

As in CTranslate2 4.8 (`GreedySearch` in src/decoding.cc with a random sampler), the texts of a row are drawn
independently of each other, and a temperature changes how tokens are drawn, not how likely they count. Other
than there, tokens are drawn from the likeliest ones of each kind, and what is drawn depends on nothing but
the row.

Law: pure, but for the generators of random numbers that it is given; no model is run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from engines.whisper.beam_search import Continuation, FoundText, finished
from engines.whisper.timestamp_rules import Floats, Tokens


class SampledTexts:
    """The unfinished texts: one for each row in the first step, then as many as the row with most has."""

    def __init__(
        self,
        *,
        texts: int,
        temperature: float,
        most_tokens: Sequence[int],
        end: int,
        random: Sequence[Generator],
    ) -> None:
        """`texts`: for each row. `most_tokens`: the texts of each row are cut after so many. `end`: the token
        that ends a text. `random`: one for each row.
        """
        self._texts = texts
        self._temperature = temperature
        self._most_tokens = most_tokens
        self._end = end
        self._random = random
        self._rows = list(range(len(most_tokens)))
        self._scores: Floats = np.zeros((len(most_tokens), 1), np.float32)
        self._real = [1] * len(most_tokens)
        """Of the texts of each row, so many count. Others stand there so that all rows have as many."""
        self._found: list[list[FoundText]] = [[] for _ in most_tokens]
        self.said: Tokens = np.zeros((len(most_tokens), 0), np.int32)
        """The tokens so far: (texts, tokens). The texts of a row stand together."""

    def advance(self, log_probabilities: Floats, tokens: Tokens) -> Continuation | None:
        """Takes one step; None when all rows are finished.

        `log_probabilities` of candidates after each text, and their `tokens`: (texts, candidates).
        """
        each = self._scores.shape[1]
        kept = [
            self._drawn(place, slice(place * each, (place + 1) * each), log_probabilities, tokens)
            for place in range(len(self._rows))
        ]
        order = [place for place, (origins, _, _) in enumerate(kept) if len(origins)]
        if not order:
            return None
        self._rows = [self._rows[place] for place in order]
        self._real = [len(kept[place][0]) for place in order]
        wide = max(self._real)
        origins, scores, said = (
            np.concatenate(
                [np.resize(kept[place][part], (wide, *kept[place][part].shape[1:])) for place in order]
            )
            for part in range(3)
        )
        self._scores = scores.reshape(len(order), wide)
        self.said = said
        return Continuation(origins.astype(np.int32), order)

    def results(self) -> list[list[FoundText]]:
        """The texts of each row, the likeliest first."""
        return [sorted(found, key=lambda text: -text.score) for found in self._found]

    def _drawn(
        self, place: int, which: slice, log_probabilities: Floats, tokens: Tokens
    ) -> tuple[NDArray[np.int64], Floats, Tokens]:
        """Draws a token for each text of a row. Of those that go on: the texts that they continue, their
        scores, and their tokens.
        """
        row, first = self._rows[place], self.said.shape[1] == 0
        origins = (
            np.full(self._texts, which.start)
            if first
            else np.arange(which.start, which.start + self._real[place])
        )
        chosen = draw(log_probabilities[origins] / self._temperature, self._random[row])
        scores = self._scores[place][origins - which.start] + log_probabilities[origins, chosen]
        said = np.concatenate([self.said[origins], tokens[origins, chosen][:, None]], axis=1)
        ended = said[:, -1] == self._end
        over = ended | (said.shape[1] == self._most_tokens[row])
        self._found[row] += [
            finished(said[at], float(scores[at]), ended=bool(ended[at])) for at in np.flatnonzero(over)
        ]
        return origins[~over], scores[~over], said[~over]


def draw(logits: Floats, random: Generator) -> NDArray[np.int64]:
    """A place in each line (lines, places), as likely as its logit says."""
    chances = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    sums = np.cumsum(chances, axis=1)
    # Less than the whole sum, so that no place after the last possible one is drawn.
    thrown = random.random(len(logits))[:, None] * sums[:, -1:]
    return np.asarray((sums <= thrown).sum(axis=1))


def generator(keys: NDArray[Any], temperature: float) -> Generator:
    """Random numbers that depend on what was heard in a row, not on the row's place or its neighbours.

    `keys`: and values of the row: (2 * layers, heads, positions, width of a head), zeros after its end.
    """
    return np.random.default_rng([int(keys[0].sum(dtype=np.float64) % 2**32), int(1000 * temperature)])
