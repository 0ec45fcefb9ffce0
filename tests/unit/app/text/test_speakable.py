"""Text is read as people read it: numbers, signs, addresses, emoji."""

from __future__ import annotations

from collections.abc import Callable

import emoji
import pytest

from app.text import speakable
from app.text.speakable import _LateGrammar, cleaned, spoken

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


def test_grammars_of_other_languages_are_not_loaded() -> None:
    spoken("7", "en-US")
    from wetext.constants import FSTS

    assert isinstance(FSTS["ja"]["itn"]["tagger"], _LateGrammar)


def test_a_grammar_is_loaded_by_its_first_text() -> None:
    loaded: list[str] = []

    def load(path: str) -> Callable[[str], str]:
        loaded.append(path)
        return str.upper

    grammar = _LateGrammar(load, "some.fst")
    assert loaded == []
    assert [grammar("one"), grammar("two")] == ["ONE", "TWO"]
    assert loaded == ["some.fst"]


def test_emoji_are_named_in_the_language() -> None:
    assert spoken("❤️", "es") == "corazón rojo"


def test_every_emoji_is_seen() -> None:
    assert all(speakable._MAY_BE_EMOJI.search(sign) for sign in emoji.EMOJI_DATA)
    assert not speakable._MAY_BE_EMOJI.search("“Größe” – naïve… ¿Qué? 今日は、いい天気です。Привет नमस्ते")


def test_a_long_word_is_broken() -> None:
    assert max(len(word) for word in spoken("a" * 500, "en-US").split()) <= 40


def test_markup_and_control_characters_are_not_spoken() -> None:
    written = "<speak>Hello\u0000 <break time='1s'/>\u202ethere</speak> if a < b"
    assert spoken(cleaned(written), "en-US").split() == ["Hello", "there", "if", "a", "<", "b"]
