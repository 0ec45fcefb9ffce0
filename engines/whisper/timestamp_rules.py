"""Whisper's rules for timestamps: which tokens may follow a text, and how likely each of them is.

The rules are those of Whisper (`ApplyTimestampRules` in whisper/decoding.py), as CTranslate2 applies them: a
text begins with a timestamp, timestamps come in pairs and never decrease, and a timestamp is taken where all
of them together are likelier than any other token.

Law: pure; numbers in, numbers out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Tokens: TypeAlias = NDArray[np.int32]
Flags: TypeAlias = NDArray[np.bool_]
IMPOSSIBLE = np.float32(-1e30)
"""The logit of a token that must not follow. It is finite, so that sums of it are numbers."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Where the kinds of tokens are: text below `end`, then special tokens, then timestamps."""

    start: int
    """The token that starts a text: the last of a prompt, but for the language and the task."""
    end: int
    """The token that ends a text."""
    timestamps: int
    """The first timestamp."""
    size: int
    suppressed: tuple[int, ...] = ()
    """Tokens that never follow."""
    first_timestamps: int = 50
    """The greatest timestamp that a text may begin with, counted from the first one."""

    @property
    def languages(self) -> range:
        """The tokens of languages: all after the start token, but for the last six before the timestamps."""
        return range(self.start + 1, self.timestamps - 6)

    @property
    def without_times(self) -> int:
        """The token that says that no timestamps follow: the last before them."""
        return self.timestamps - 1

    @property
    def without_speech(self) -> int:
        """The token that says that nobody speaks. After it, there is one more before the timestamps."""
        return self.timestamps - 2


@dataclass(frozen=True, slots=True)
class Likeliest:
    """The likeliest tokens of one kind that may follow each of `n` texts."""

    logits: Floats
    """(n, some)"""
    tokens: Tokens
    """(n, some)"""
    log_sum: Floats
    """The logarithm of the sum of exp(logit) over all tokens of this kind: (n,)."""


@dataclass(frozen=True, slots=True)
class NextTokens:
    """What the decoder thinks may follow each text, by the kinds of tokens."""

    text: Likeliest
    special: Likeliest
    times: Likeliest


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may follow each of `n` texts."""

    others: Floats
    """What is added to the logits of all tokens from the end token on, `IMPOSSIBLE` or 0: (n, tokens)."""
    text: Flags
    """Whether text tokens may follow: (n,)."""
    weighed: Flags
    """Whether timestamps are weighed against all other tokens: (n,)."""


class TimestampRules:
    """The rules for one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._known = vocabulary
        others = np.arange(vocabulary.end, vocabulary.size, dtype=np.int32)
        never = np.isin(others, (*vocabulary.suppressed, vocabulary.without_times))
        self._never = np.where(never, IMPOSSIBLE, np.float32(0))
        self._times = np.arange(vocabulary.timestamps, vocabulary.size, dtype=np.int32)
        self._first_time = vocabulary.timestamps - vocabulary.end

    def allowed(self, said: Tokens) -> Allowed:
        """What may follow texts with the tokens `said` so far: (n, how many)."""
        known, (count, length) = self._known, said.shape
        others = np.repeat(self._never[None], count, axis=0)
        special, times = others[:, : self._first_time], others[:, self._first_time :]
        if not length:
            special[:] = IMPOSSIBLE
            times[:, known.first_timestamps + 1 :] = IMPOSSIBLE
            return Allowed(others, np.zeros(count, np.bool_), np.zeros(count, np.bool_))
        timed = said[:, -1] >= known.timestamps
        paired = timed & (said[:, -2 if length > 1 else -1] >= known.timestamps)
        # Timestamps never decrease, so that the greatest is the last. After text they increase.
        latest = np.where(said >= known.timestamps, said, -1).max(axis=1)
        lowest = np.where(paired, known.size, np.where(timed, latest, latest + 1))
        times[self._times < lowest[:, None]] = IMPOSSIBLE
        return Allowed(others, ~timed | paired, ~paired)


def log_probabilities(following: NextTokens, allowed: Allowed) -> tuple[Floats, Tokens]:
    """The log-probabilities of the likeliest tokens, and these tokens, both (n, some).

    `following`: its logits include what `allowed` adds to them.
    """
    text, special, times = following.text, following.special, following.times
    no_text = ~allowed.text
    likeliest = np.maximum(np.where(no_text, IMPOSSIBLE, text.logits[:, 0]), special.logits[:, 0])
    only_times = allowed.weighed & (times.log_sum > likeliest)
    parts = [
        _without(text, no_text | only_times),
        _without(special, only_times),
        (times.logits, times.log_sum),
    ]
    total = np.logaddexp.reduce([log_sum for _, log_sum in parts])
    logits = np.concatenate([values for values, _ in parts], axis=1)
    return logits - total[:, None], np.concatenate([text.tokens, special.tokens, times.tokens], axis=1)


def _without(kind: Likeliest, rows: Flags) -> tuple[Floats, Floats]:
    """The logits and their sum, where no token of this kind may follow the texts `rows`."""
    return np.where(rows[:, None], IMPOSSIBLE, kind.logits), np.where(rows, IMPOSSIBLE, kind.log_sum)
