"""Which words are final, and where a later transcription continues after them."""

from __future__ import annotations

import pytest

from app.domain.live import LiveWord
from app.services.steps.live_agreement import agreed, continuation, retimed, words_of
from engines.types import Segment, Token, Word


@pytest.mark.parametrize(
    ("before", "now", "sure"),
    [
        ("", "ask not what", 0),
        ("ask not", "ask not what your", 2),
        ("Ask, not", "ask not! what", 2),
        ("ask not what", "ask not what", 2),
        ("ask nut what", "ask not what your", 1),
        ("a", "", 0),
        ("a", "a", 0),
    ],
)
def test_words_are_sure_where_two_transcriptions_agree_but_for_the_last_one(
    before: str, now: str, sure: int
) -> None:
    assert agreed(before.split(), now.split()) == sure


@pytest.mark.parametrize(
    ("sure", "now", "known"),
    [
        ("", "ask not", 0),
        ("ask not", "Ask not what", 2),
        ("ask not what", "ask what your country", 2),
        ("ask not", "ask do not what", 3),
        ("an old word", "completely other things said", 3),
        ("ask not", "", 0),
    ],
)
def test_what_is_sure_is_found_again_in_other_wordings(sure: str, now: str, known: int) -> None:
    assert continuation(sure.split(), now.split()) == known


def test_words_have_their_tokens() -> None:
    tokens = tuple(Token(i, data, -0.5) for i, data in enumerate([b"", b" As", b"k", b" not", b"."]))
    words = (Word(" Ask", 0.0, 0.5, 1.0), Word(" not.", 0.5, 1.0, 1.0))
    got = words_of([Segment(0.0, 1.0, " Ask not.", tokens, words)])
    assert [(w.text, w.end, [t.data for t in w.tokens]) for w in got] == [
        (" Ask", 0.5, [b" As", b"k"]),
        (" not.", 1.0, [b" not", b"."]),
    ]


def test_without_times_words_are_what_spaces_separate() -> None:
    tokens = tuple(Token(i, data, -0.5) for i, data in enumerate([b" As", b"k", b" not", b".", b" "]))
    got = words_of(
        [Segment(1.0, 2.0, " Ask not. ", tokens, None), Segment(2.0, 3.0, "\u3053\u3093", (), None)]
    )
    assert [(w.text, w.end, [t.data for t in w.tokens]) for w in got] == [
        (" Ask", 1.4, [b" As", b"k"]),
        (" not. ", 2.0, [b" not", b".", b" "]),
        ("\u3053\u3093", 3.0, []),
    ]


@pytest.mark.parametrize(
    ("again", "ends"),
    [([], [1, 2, 3]), ([7], [1, 2, 7]), ([5, 6, 7], [5, 6, 7]), ([4, 5, 6, 7], [5, 6, 7])],
)
def test_words_take_the_times_of_a_later_transcription(again: list[int], ends: list[int]) -> None:
    words = [LiveWord(f" w{end}", end) for end in (1, 2, 3)]
    got = retimed(words, [LiveWord(" x", end) for end in again])
    assert [(w.text, w.end) for w in got] == [(f" w{i}", end) for i, end in enumerate(ends, 1)]


def test_a_segment_whose_words_do_not_spell_it_is_one_word() -> None:
    words = (Word(" Ask", 0.0, 0.5, 1.0),)
    got = words_of([Segment(0.0, 1.0, " Ask not", (), words), Segment(1.0, 2.0, " ", (), None)])
    assert [w.text for w in got] == [" Ask not"]
