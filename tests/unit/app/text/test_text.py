"""Preparing text for speech: utterances, spoken forms, languages, instructions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.text.instructions import Delivery, delivery
from app.text.language import text_language
from app.text.speakable import cleaned, spoken
from app.text.utterances import CHARACTER_BUDGETS, LONGEST_LINE, Piece, Utterances
from engines.writing_scripts import primary_subtag

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


def test_no_word_is_lost() -> None:
    words = " ".join(piece.text for piece in cut(PARAGRAPH * 3)).split()
    assert words == spoken(PARAGRAPH * 3, "en-US").split()


@pytest.mark.parametrize("text", ["", "   ", "...", "\n\n", "!?!", "\u200b\u202e", "<break/>"])
def test_what_says_nothing_gives_no_utterance(text: str) -> None:
    assert cut(text) == []


READINGS = [
    ("It costs $5.50.", "It costs five dollars and fifty cents."),
    ("£1.01 or €3.00", "one pound and one penny or three euros"),
    ("$1,234.56", "one thousand two hundred and thirty four dollars and fifty six cents"),
    ("1,234 people", "one thousand two hundred and thirty four people"),
    ("in the 1990s", "in the nineteen nineties"),
    ("v2.0.1", "v two point zero point one"),
    ("12.5kg", "twelve point five kilograms"),
    ("at 3:45 PM", "at three forty five PM"),
    ("50% more", "fifty percent more"),
    ("e.g. this, etc.", "for example this, et cetera"),
    ("https://a.com", "HTTPS colon slash slash a dot com"),
    ("joe@example.com", "joe at example dot com"),
    ("I ❤️ you", "I red heart you"),
    ("the 21st century", "the twenty first century"),
    ("1" * 15, " ".join(["one"] * 15)),
    ("plain words", "plain words"),
    ('He said "I have 5" twice.', 'He said "I have five" twice.'),
    ('C:\\5 "a\\"', 'C:\\five "a\\"'),
]


@pytest.mark.parametrize(("written", "said"), READINGS)
def test_english_is_read_as_people_read_it(written: str, said: str) -> None:
    assert spoken(cleaned(written), "en-US") == said


def test_emoji_are_named_in_the_language() -> None:
    assert spoken("❤️", "es") == "corazón rojo"


def test_a_long_word_is_broken() -> None:
    assert max(len(word) for word in spoken("a" * 500, "en-US").split()) <= 40


def test_markup_and_control_characters_are_not_spoken() -> None:
    written = "<speak>Hello\u0000 <break time='1s'/>\u202ethere</speak> if a < b"
    assert spoken(cleaned(written), "en-US").split() == ["Hello", "there", "if", "a", "<", "b"]


LANGUAGES = [
    ("Hola amigo, ¿cómo estás hoy?", "en-US", "es"),
    ("Guten Morgen, wie geht es Ihnen heute?", "en-US", "de"),
    ("The quick brown fox jumps over the dog", "es", "en"),
    ("Bonjour tout le monde, ça va?", "fr-FR", "fr-FR"),
    ("Good morning.", "en-GB", "en-GB"),
    ("OK", "es", "es"),
    ("今日はいい天気です", "en-US", "ja"),
    ("你好世界", "en-US", "zh"),
    ("東京", "ja", "ja"),
    ("नमस्ते दुनिया", "en-US", "hi"),
    ("Привет, мир", "en-US", "ru"),
    ("12345", "it", "it"),
]


@pytest.mark.parametrize(("text", "voice", "expected"), LANGUAGES)
def test_the_language_of_a_text(text: str, voice: str, expected: str) -> None:
    assert text_language(text, voice) == expected


INSTRUCTIONS = [
    ("", Delivery()),
    ("Speak slowly.", Delivery(pace=0.85)),
    ("Please speak a bit faster and louder", Delivery(pace=1.18, gain=4.0)),
    ("Make longer pauses between sentences", Delivery(pause=2.0)),
    ("Speak calmly.", Delivery(complete=False)),
    ("Do not speak fast", Delivery(complete=False)),
    ("Quietly, like a pirate", Delivery(gain=-6.0, complete=False)),
]


@pytest.mark.parametrize(("asked", "expected"), INSTRUCTIONS)
def test_instructions_are_honoured_as_far_as_is_honest(asked: str, expected: Delivery) -> None:
    assert delivery(asked) == expected


@pytest.mark.parametrize(
    ("tag", "language"), [("pt-BR", "pt"), ("EN", "en"), ("yue-HK", "yue"), ("fil", "fil"), ("haw", "haw")]
)
def test_a_tag_of_three_letters_is_no_other_language(tag: str, language: str) -> None:
    """Filipino is not Finnish, as the first two letters would say."""
    assert primary_subtag(tag) == language
    assert text_language("Hi.", tag) == tag
