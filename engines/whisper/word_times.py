"""Word times from the decoder's cross-attention (dynamic time warping, as OpenAI's Whisper does it).

Law: pure; alignments come in, words come out. An alignment stretches a word over the pause beside it, so a
word next to a pause is shortened to twice the length of the median word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol

import numpy as np

from engines.punctuation import SENTENCE_ENDS
from engines.types import Word
from engines.whisper.timestamp_phrases import Phrase
from engines.whisper.tokens import WhisperTokens

POSITIONS_PER_SECOND = 50
"""Positions of the encoder's output."""
MAX_MEDIAN_WORD = 0.7
"""Seconds that the median word may have at most, however slow the speech is."""
OPENING = "\"'“¿([{-"
CLOSING = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - full-width marks are meant


@dataclass(frozen=True, slots=True)
class Timed:
    """A word with its tokens."""

    text: str
    tokens: tuple[int, ...]
    start: float
    """Seconds from the start of the round."""
    end: float
    """Seconds from the start of the round."""
    probability: float

    def word(self, offset: float, low: float, high: float) -> Word:
        """The word with absolute times between `low` and `high`, rounded to hundredths of a second."""
        start = min(max(round(self.start + offset, 2), low), high)
        end = min(max(round(self.end + offset, 2), start), high)
        return Word(self.text, start, end, self.probability)


class Alignment(Protocol):
    """What aligning gives for one row."""

    @property
    def alignments(self) -> list[tuple[int, int]]:
        """Pairs of a token's index and an encoder position."""

    @property
    def text_token_probs(self) -> list[float]: ...


def group_words(words: tuple[list[str], list[list[int]]], alignment: Alignment) -> list[Timed]:
    """Words with their times and punctuation. The last word of `words` is the end-of-text token."""
    texts, ids = words
    if len(ids) <= 1:
        return []
    bounds = np.cumsum([0, *(len(some) for some in ids[:-1])])
    pairs = np.asarray(alignment.alignments, dtype=np.int64).reshape(-1, 2)
    jumps = np.pad(np.diff(pairs[:, 0]), (1, 0), constant_values=1).astype(bool)
    times = pairs[jumps, 1] / POSITIONS_PER_SECOND
    chances = alignment.text_token_probs
    timed = [
        Timed(text, tuple(some), float(times[a]), float(times[b]), float(np.mean(chances[a:b])))
        for text, some, a, b in zip(texts, ids, bounds[:-1], bounds[1:], strict=False)
    ]
    return _join_punctuation(timed)


def _join_punctuation(timed: list[Timed]) -> list[Timed]:
    """Joins punctuation with words: opening marks with the next word, closing marks with the word before."""
    joined: list[Timed] = []
    opening: Timed | None = None
    for raw in timed:
        mark = raw.text.strip()
        word = _join(opening, raw, time_of=raw) if opening else raw
        opening = None
        if mark and mark in OPENING and word.text.startswith(" "):
            opening = word
        elif mark and mark in CLOSING and joined and not joined[-1].text.endswith(" "):
            joined[-1] = _join(joined[-1], word, time_of=joined[-1])
        else:
            joined.append(word)
    return [*joined, opening] if opening else joined


def _join(first: Timed, second: Timed, *, time_of: Timed) -> Timed:
    return replace(time_of, text=first.text + second.text, tokens=first.tokens + second.tokens)


def fit_words(phrases: Sequence[Phrase], timed: list[Timed], tokens: WhisperTokens) -> list[list[Timed]]:
    """The words of each phrase, in order. Words beside a pause are shortened."""
    spans = [word.end - word.start for word in timed if word.end > word.start]
    typical = min(MAX_MEDIAN_WORD, median(spans)) if spans else MAX_MEDIAN_WORD
    rest = list(timed)
    fitted = []
    for phrase in phrases:
        count = len(tokens.text_only(phrase.tokens))
        words: list[Timed] = []
        while rest and sum(len(word.tokens) for word in words) < count:
            words.append(rest.pop(0))
        fitted.append(_trim(words, phrase, typical))
    return fitted


def _trim(words: list[Timed], phrase: Phrase, typical: float) -> list[Timed]:
    """Shortens words beside a pause to twice the typical length, then puts the times in order."""
    trimmed = list(words)
    longest = 2 * typical
    for index, word in enumerate(trimmed):
        if word.end - word.start <= longest:
            continue
        ends = index == len(trimmed) - 1 or word.text.rstrip().endswith(SENTENCE_ENDS)
        first = index == 0
        if first:
            trimmed[index] = replace(word, start=max(word.end - longest, word.start))
        elif ends:
            trimmed[index] = replace(word, end=min(word.end, max(word.start + longest, phrase.start)))
    return _ordered(trimmed)


def _ordered(words: list[Timed]) -> list[Timed]:
    ordered: list[Timed] = []
    at = 0.0
    for word in words:
        start = max(word.start, at)
        ordered.append(replace(word, start=start, end=max(word.end, start)))
        at = ordered[-1].end
    return ordered
