"""Text is cut into utterances, the same ones however it comes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.speakable import spoken
from app.text.utterances import CHARACTER_BUDGETS, LONGEST_LINE, Piece, Utterances

PARAGRAPH = (
    "When the first settlers came to the valley, they found a quiet river, wide meadows and a forest that "
    "seemed to have no end. Dr. Smith paid $5.50! They built. And more... Yes? "
)


def cut(text: str, sizes: list[int] | None = None, language: str = "en-US") -> list[Piece]:
    cutter = Utterances(language)
    found: list[Piece] = []
    at, turn = 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)] if sizes else len(text)
        found += cutter.feed(text[at : at + size])
        at, turn = at + size, turn + 1
    return found + list(cutter.flush())


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from([PARAGRAPH, "Hello.\n", "你好，世界。今天很好。", " x " * 40, "\n\n", "é 🙂 "]),
        max_size=8,
    ),
    st.lists(st.integers(1, 300), min_size=1, max_size=5),
)
def test_utterances_do_not_depend_on_the_chunks(parts: list[str], sizes: list[int]) -> None:
    text = "".join(parts)
    assert cut(text, sizes) == cut(text)


def test_a_line_without_end_is_cut_the_same_however_it_comes() -> None:
    text = "word " * (LONGEST_LINE // 2)
    assert cut(text, [777]) == cut(text)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.text(max_size=400), st.sampled_from(["en-US", "es", "ja", "zh-CN"]))
def test_any_text_is_cut_into_bounded_utterances(text: str, language: str) -> None:
    for piece in cut(text, language=language):
        assert piece.text.strip() == piece.text != ""
        assert len(piece.text) <= 2 * CHARACTER_BUDGETS[-1]
        assert piece.pause > 0


def test_the_first_utterance_is_short_and_the_next_are_longer() -> None:
    pieces = cut(PARAGRAPH * 4)
    lengths = [len(piece.text) for piece in pieces]
    assert lengths[0] <= 1.5 * CHARACTER_BUDGETS[0]
    assert max(lengths[2:]) > 2 * lengths[0]
    assert pieces[0].text == "When the first settlers came to the valley,"


def test_a_sentence_is_not_divided_after_a_short_word() -> None:
    text = "The lighthouse keeper climbed the narrow stairs every evening before the sun went down."
    assert cut(text)[0].text == "The lighthouse keeper climbed"
    assert cut("a b c d e " * 20)[0].text == "a b c d e " * 3 + "a b c d e"  # there is no longer word


def test_no_word_is_lost() -> None:
    words = " ".join(piece.text for piece in cut(PARAGRAPH * 3)).split()
    assert words == spoken(PARAGRAPH * 3, "en-US").split()


@pytest.mark.parametrize("text", ["", "   ", "...", "\n\n", "!?!", "\u200b\u202e", "<break/>"])
def test_what_says_nothing_gives_no_utterance(text: str) -> None:
    assert cut(text) == []
