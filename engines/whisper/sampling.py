"""Texts that are drawn at random, as Whisper does where a search found no good one (Radford et al. 2022,
section 4.5).

As in CTranslate2 4.8 (`GreedySearch` in src/decoding.cc with a random sampler), the texts of a row are drawn
independently of each other, and a temperature changes how tokens are drawn, not how likely they count. Other
than there, tokens are drawn from the likeliest ones of each kind, and each row is drawn alone, so that it has
the same texts whatever else was in its batch; and a text that only repeats itself ends there if another one
is good, because no loop is taken then.

Law: pure, but for the generators of random numbers that it is given; no model is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from engines.whisper.beam_search import Continuation, FoundText, finished
from engines.whisper.timestamp_rules import Floats, Tokens

REPEATED_TAIL = 36
"""A text repeats itself if its last tokens, so many, are the same few again and again."""
LONGEST_REPEATED = 6
"""The most tokens that are repeated in such a text."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a good text needs: no loop, and a mean log-probability."""

    is_loop: Callable[[Sequence[int]], bool]
    least_score: float

    def met(self, text: FoundText) -> bool:
        return text.score >= self.least_score and not self.is_loop(text.tokens)


def repeats(text: Tokens) -> bool:
    """Whether the last tokens of the text (tokens,) are the same few again and again."""
    last = text[-REPEATED_TAIL:]
    periods = range(1, LONGEST_REPEATED + 1)
    return len(last) == REPEATED_TAIL and any(bool((last[n:] == last[:-n]).all()) for n in periods)


class SampledTexts:
    """The unfinished texts of one row: a single one in the first step."""

    def __init__(
        self,
        *,
        temperature: float,
        most_tokens: int,
        end: int,
        random: Sequence[Generator],
        needs: Needs,
    ) -> None:
        """`most_tokens`: the texts are cut after so many. `end`: the token that ends a text. `random`: one
        for each text. `needs`: of a good text.
        """
        self._temperature = temperature
        self._most_tokens = most_tokens
        self._end = end
        self._random = random
        self._needs = needs
        self._sums: Floats = np.zeros((1, 0), np.float32)
        """The log-probabilities of the texts after each of their tokens: (texts, tokens)."""
        self._found: list[FoundText] = []
        self.said: Tokens = np.zeros((1, 0), np.int32)
        """The tokens so far: (texts, tokens)."""

    def advance(self, log_probabilities: Floats, tokens: Tokens) -> Continuation | None:
        """Takes one step; None when all texts are finished.

        `log_probabilities` of candidates after each text, and their `tokens`: (texts, candidates).
        """
        first = self.said.shape[1] == 0
        origins = (
            np.zeros(len(self._random), np.int32) if first else np.arange(len(self.said), dtype=np.int32)
        )
        chosen = self._drawn(log_probabilities[origins], tokens[origins])
        before = self._sums[origins, -1:] if not first else np.zeros((len(origins), 1), np.float32)
        sums = np.concatenate(
            [self._sums[origins], before + log_probabilities[origins, chosen][:, None]], axis=1
        )
        said = np.concatenate([self.said[origins], tokens[origins, chosen][:, None]], axis=1)
        ended = said[:, -1] == self._end
        over = ended | (said.shape[1] == self._most_tokens)
        if any(self._needs.met(text) for text in self._found):
            over |= [repeats(text) and self._needs.is_loop(text) for text in said]
        for at in np.flatnonzero(over):
            self._found.append(finished(said[at], sums[at], ended=bool(ended[at])))
        self._random = [one for one, done in zip(self._random, over, strict=True) if not done]
        self._sums, self.said = sums[~over], said[~over]
        return Continuation(origins[~over], [0]) if self._random else None

    def results(self) -> list[FoundText]:
        """The texts, the likeliest first."""
        return sorted(self._found, key=lambda text: -text.score)

    def _drawn(self, log_probabilities: Floats, tokens: Tokens) -> NDArray[np.int64]:
        """The place of the candidate that is drawn for each text. They are lined up by their tokens, not by
        how likely they are: that may change with the last digit.
        """
        order = np.argsort(tokens, axis=1, kind="stable")
        thrown = np.array([one.random() for one in self._random])
        places = draw(np.take_along_axis(log_probabilities, order, 1), self._temperature, thrown)
        return np.take_along_axis(order, places[:, None], 1)[:, 0]


def draw(logits: Floats, temperature: float, thrown: NDArray[np.float64]) -> NDArray[np.int64]:
    """A place in each line (lines, places), as likely as its logit says. `thrown`: for each line a number
    from 0 to 1, 1 excluded.
    """
    below = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # a low temperature
        sums = np.cumsum(np.exp(below / temperature), axis=1)
    # Less than the whole sum, so that no place after the last possible one is drawn.
    return np.asarray((sums <= thrown[:, None] * sums[:, -1:]).sum(axis=1))


def generators(keys: NDArray[Any], temperature: float, texts: int) -> list[Generator]:
    """Random numbers for each text of a row, which depend on what was heard in it.

    `keys`: and values of the row: (2 * layers, heads, positions, width of a head).
    """
    heard = int(keys[0].sum(dtype=np.float64) % 2**32)
    scaled = int(np.float64(temperature).view(np.uint64))
    return [np.random.default_rng([heard, scaled, text]) for text in range(texts)]
