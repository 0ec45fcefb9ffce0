"""Whisper's tokens -> phrases and words, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace

import pytest

from engines.whisper.timestamp_phrases import split_phrases
from engines.whisper.word_times import Timed, fit_words, group_words

T = 1000


class Letters:
    """A fake vocabulary: tokens below 900 are text, those from 1000 on are timestamps in steps of 0.02 s."""

    eot = 900
    timestamps = T

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(chr(t) for t in tokens if t < self.eot)

    def text_only(self, tokens: Sequence[int]) -> list[int]:
        return [t for t in tokens if t < self.eot]


A, B, C = map(ord, "abc")


@pytest.mark.parametrize(
    ("tokens", "phrases", "used"),
    [
        ([T, A, T + 100], [(0, 2, "a")], 1000),
        ([T, A, T + 100, T + 100, B, T + 400], [(0, 2, "a"), (2, 8, "b")], 1000),
        # The last phrase has no end timestamp: the next round begins where this phrase begins.
        ([T, A, T + 100, T + 100, B], [(0, 2, "a")], 200),
        # If too little would be left for another round, the last phrase belongs to this one.
        ([T, A, T + 460, T + 460, B], [(0, 9.2, "a"), (9.2, 10, "b")], 1000),
        ([A, B], [(0, 10, "ab")], 1000),
        ([T + 50, A], [(1, 10, "a")], 1000),
        ([T, T], [], 1000),
        ([], [], 1000),
        # A timestamp after the end of the audio counts as its end.
        ([T, A, T + 1400], [(0, 10, "a")], 1000),
    ],
)
def test_phrases(tokens: list[int], phrases: list[tuple[float, float, str]], used: int) -> None:
    found, covered = split_phrases(tokens, 1000, Letters(), min_rest=100)
    assert [(round(p.start, 6), round(p.end, 6), Letters().decode(p.tokens)) for p in found] == phrases
    assert covered == used
    assert all(tokens[p.first : p.first + len(p.tokens)] == list(p.tokens) for p in found)


def timed(text: str, start: float, end: float) -> Timed:
    return Timed(text, tuple(ord(c) for c in text), start, end, 0.9)


def test_words_get_their_times_and_their_punctuation() -> None:
    texts = [" a", ",", " “", "b", "”", ""]
    ids = [[1], [2], [3], [4], [5], [900]]
    alignment = SimpleNamespace(
        alignments=[(0, 0), (1, 50), (2, 60), (3, 70), (4, 100), (5, 110)], text_token_probs=[0.9] * 5
    )
    words = group_words((texts, ids), alignment)
    assert [(w.text, w.start, w.end) for w in words] == [(" a,", 0.0, 1.0), (" “b”", 1.4, 2.0)]


def test_no_words() -> None:
    nothing = SimpleNamespace(alignments=[], text_token_probs=[])
    assert group_words(([""], [[900]]), nothing) == []


def test_words_beside_a_pause_are_not_stretched_over_it() -> None:
    phrase, _ = split_phrases([T, *map(ord, "abcd"), T + 500], 1000, Letters(), min_rest=100)
    words = [timed("a", 0, 5), timed("b", 5, 5.3), timed("c", 5.3, 5.6), timed("d", 5.6, 9)]
    (fitted,) = fit_words(phrase, words, Letters())  # type: ignore[arg-type]  # the part that is used
    assert fitted[0].start > 3
    assert fitted[-1].end < 9
    assert all(a.end <= b.start for a, b in pairwise(fitted))
