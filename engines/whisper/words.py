"""Word times from the decoder's cross-attention (dynamic time warping, as OpenAI's Whisper does it).

Law: pure; alignments come in, words come out. Raw alignments stretch a word over the pause beside it, so a
word next to a pause is cut to twice the median word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from engines.types import Word
from engines.whisper.segments import Phrase
from engines.whisper.tokens import WhisperTokens

POSITIONS = 50
"""Encoder positions a second."""
LONGEST_MEDIAN = 0.7
"""Seconds; slow speech is not taken as a reason for longer words than this."""
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
        """With absolute times, inside low..high, to the hundredth of a second."""
        start = min(max(round(self.start + offset, 2), low), high)
        end = min(max(round(self.end + offset, 2), start), high)
        return Word(self.text, start, end, self.probability)


def group_words(
    words: tuple[list[str], list[list[int]]], alignment: Any, tokens: WhisperTokens
) -> list[Timed]:
    """Words with times, punctuation joined to its word. `words` ends with the end-of-text token."""
    texts, ids = words
    if len(ids) <= 1:
        return []
    bounds = np.cumsum([0, *(len(some) for some in ids[:-1])])
    pairs = np.asarray(alignment.alignments, dtype=np.int64).reshape(-1, 2)
    jumps = np.pad(np.diff(pairs[:, 0]), (1, 0), constant_values=1).astype(bool)
    times = pairs[jumps, 1] / POSITIONS
    chances = alignment.text_token_probs
    timed = [
        Timed(text, tuple(some), float(times[a]), float(times[b]), float(np.mean(chances[a:b])))
        for text, some, a, b in zip(texts, ids, bounds[:-1], bounds[1:], strict=False)
    ]
    return _join_punctuation(timed)


def _join_punctuation(timed: list[Timed]) -> list[Timed]:
    """Opening marks go to the next word, closing marks to the one before."""
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
    """The words of each phrase, in order, none longer than it can be beside a pause."""
    spans = [word.end - word.start for word in timed if word.end > word.start]
    typical = min(LONGEST_MEDIAN, median(spans)) if spans else LONGEST_MEDIAN
    rest = list(timed)
    fitted = []
    for phrase in phrases:
        wanted = len(tokens.text_only(phrase.tokens))
        mine: list[Timed] = []
        while rest and sum(len(word.tokens) for word in mine) < wanted:
            mine.append(rest.pop(0))
        fitted.append(_trim(mine, phrase, typical))
    return fitted


def _trim(words: list[Timed], phrase: Phrase, typical: float) -> list[Timed]:
    """Words after or before a pause are cut to at most twice the typical length, then put in order."""
    trimmed = list(words)
    longest = 2 * typical
    for index, word in enumerate(trimmed):
        if word.end - word.start <= longest:
            continue
        ends = index == len(trimmed) - 1 or word.text.rstrip().endswith(tuple(".。!！?？"))  # noqa: RUF001
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
