"""Divides words into cues of subtitles, and cues into lines.

Law: pure. The words are divided by a shortest path (dynamic programming): each possible cue is an edge, and
its cost says how badly the cue reads. The search takes at most words x `LONGEST_CUE` steps of constant time.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from engines.punctuation import CLAUSE_ENDS, SENTENCE_ENDS
from engines.types import Word

CLAUSE_PAUSE = 0.4
"""A pause of so many seconds is as good a place for a break as the end of a clause."""
LONGEST_CUE = 120
"""The most words of a cue, whatever its rules allow; this bounds the search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CueRules:
    """The limits of a cue."""

    width: int = 42
    """The most columns of a line; a wide character takes two."""
    lines: int = 2
    longest: float = 7.0
    """The most seconds of a cue."""
    shortest: float = 1.0
    """Least seconds of a cue, unless the next cue begins earlier."""
    speed: float = 17.0
    """Reading speed, in columns a second; fast speech may exceed it."""


@lru_cache(maxsize=65536)
def columns(text: str) -> int:
    """Number of columns that a text takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def best_groups(words: Sequence[Word], rules: CueRules) -> list[Sequence[Word]]:
    """The words of each cue, divided so that the sum of all costs is least."""
    search = _CueSearch(words, rules)
    groups, stop = [], len(words)
    while stop:
        start = search.begins[stop]
        groups.append(words[start:stop])
        stop = start
    return groups[::-1]


class _CueSearch:
    """The search for the shortest path. From each word, it tries every cue that may begin there."""

    def __init__(self, words: Sequence[Word], rules: CueRules) -> None:
        """Runs the search. After it, `begins[stop]` is the first word of the best cue that ends before word
        `stop`.
        """
        self._words = words
        self._rules = rules
        self._columns = [columns(word.text) for word in words]
        self._leads = [word.text.startswith(" ") for word in words]
        self._breaks = [_break_cost(words, stop) for stop in range(len(words) + 1)]
        self._best = [0.0] + [math.inf] * len(words)
        self.begins = [0] * (len(words) + 1)
        for start in range(len(words)):
            self._extend(start)

    def _extend(self, start: int) -> None:
        """Tries every cue that begins with words[start], adding word after word until the cue does not fit
        any more.
        """
        rules, begins = self._rules, self._words[start].start
        lines, line, size = 1, 0, 0
        for index in range(start, min(start + LONGEST_CUE, len(self._words))):
            width = self._columns[index]
            size += width
            line, lines = self._line(index, line, lines)
            seconds = self._words[index].end - begins
            if index > start and (
                lines > rules.lines or seconds > rules.longest or size > rules.width * rules.lines + 1
            ):
                return
            cost = self._best[start] + self._cost(index + 1, begins, seconds, size, lines)
            if cost < self._best[index + 1]:
                self._best[index + 1], self.begins[index + 1] = cost, start

    def _line(self, index: int, line: int, lines: int) -> tuple[int, int]:
        """Columns of the last line and number of lines, with one more word. A line begins without a space."""
        width = self._columns[index]
        if line and line + width > self._rules.width:
            lines, line = lines + 1, 0
        return line + width - (1 if not line and self._leads[index] else 0), lines

    def _cost(self, stop: int, begins: float, seconds: float, size: int, lines: int) -> float:
        """The cost of a cue that ends before words[stop]: it is higher the worse the cue can be read."""
        rules = self._rules
        after = self._words[stop].start if stop < len(self._words) else math.inf
        room = min(max(after - begins, seconds), rules.longest)
        hurry = max(0.0, size / rules.speed - room) + 2 * max(0.0, rules.shortest - room)
        return 1.0 + 2 * hurry + self._breaks[stop] + (0.3 if lines > 1 else 0.0)


def _break_cost(words: Sequence[Word], stop: int) -> float:
    """The cost of ending a cue before words[stop]."""
    if stop in (0, len(words)):
        return 0.0
    text = words[stop - 1].text
    if text.endswith(SENTENCE_ENDS):
        return 0.0
    if text.endswith(CLAUSE_ENDS) or words[stop].start - words[stop - 1].end >= CLAUSE_PAUSE:
        return 0.7
    # A break before a piece without a space is worse: it continues a word, or the language has no spaces.
    return 2.5 if words[stop].text.startswith(" ") else 3.0


def lines_of(group: Sequence[Word], rules: CueRules) -> tuple[str, ...]:
    """The lines of a cue that fits: one if possible, two of about the same length, or several filled ones."""
    whole = "".join(word.text for word in group).strip()
    if columns(whole) <= rules.width:
        return (whole,)
    return (rules.lines == 2 and _two_lines(group, rules)) or _filled(group, rules)


def _two_lines(group: Sequence[Word], rules: CueRules) -> tuple[str, ...] | None:
    """The best division into two lines; None if no division gives two lines that fit."""
    sums = list(accumulate(columns(word.text) for word in group))
    lead = group[0].text.startswith(" ")
    best: tuple[float, int] | None = None
    for cut in range(1, len(group)):
        spaced = group[cut].text.startswith(" ")
        first, second = sums[cut - 1] - lead, sums[-1] - sums[cut - 1] - spaced
        if first > rules.width or second > rules.width:
            continue
        good = group[cut - 1].text.endswith(SENTENCE_ENDS + CLAUSE_ENDS)
        uneven = abs(first - second) - (10 if good else 0) + (0 if spaced else 5)
        if best is None or uneven < best[0]:
            best = (uneven, cut)
    return best and tuple(_joined(part) for part in (group[: best[1]], group[best[1] :]))


def _filled(group: Sequence[Word], rules: CueRules) -> tuple[str, ...]:
    lines: list[list[Word]] = [[]]
    width = 0
    for word in group:
        size = columns(word.text)
        if lines[-1] and width + size > rules.width:
            lines.append([])
            width = 0
        width += size - (1 if not lines[-1] and word.text.startswith(" ") else 0)
        lines[-1].append(word)
    return tuple(_joined(line) for line in lines)


def _joined(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words).strip()
