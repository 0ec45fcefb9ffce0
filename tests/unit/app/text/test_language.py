"""Which language a text is in, also beside the library that guesses it."""

from __future__ import annotations

import io
import os
import tomllib
import tracemalloc
from collections.abc import Callable
from typing import IO

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from app.text.language import LATIN_LANGUAGES, MIN_PROBABILITY, LanguageGuesser, text_language
from engines.writing_scripts import primary_subtag
from tests.conftest import ROOT

TEXT = "This is a sentence in plain English, and quite a long one."
MOST_BYTES = 3_000_000
"""Bytes that the guesser may keep; the library keeps 60 MB, or 18 with its largest table in a file."""


def test_guesses_are_the_library_s_own() -> None:
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    whole.set_languages(list(LATIN_LANGUAGES))
    tables = tomllib.loads((ROOT / "tests/data/utterances.toml").read_text("utf-8")).values()
    texts = [text for table in tables for text in table["sentences"]]
    assert texts
    texts += ["THIS IS ALL IN CAPITAL LETTERS", "cafe\u0301 cre\u0300me et pa\u0302te\u0301", "\ud800 lone"]
    ours = LanguageGuesser(LATIN_LANGUAGES)
    for text in texts:
        expected, probability = whole.classify(text)
        found, chance = ours.guess(text)
        assert found == expected
        assert chance == pytest.approx(probability, rel=1e-6)
    assert ours.guess("")[1] < MIN_PROBABILITY


def test_its_numbers_are_not_in_memory() -> None:
    LanguageGuesser(["en"])  # imports the library
    tracemalloc.start()
    try:
        ours = LanguageGuesser(LATIN_LANGUAGES)
        assert tracemalloc.get_traced_memory()[0] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert ours.guess("The quick brown fox jumps over the dog")[0] == "en"


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


@pytest.mark.parametrize(
    ("tag", "subtag"), [("pt-BR", "pt"), ("EN", "en"), ("yue-HK", "yue"), ("fil", "fil"), ("haw", "haw")]
)
def test_a_tag_of_three_letters_is_no_other_language(tag: str, subtag: str) -> None:
    """Filipino is not Finnish, as the first two letters would say."""
    assert primary_subtag(tag) == subtag
    assert text_language("Hi.", tag) == tag


def refuse(*_: object, **__: object) -> None:
    raise OSError("there is no room")


def full(*_: object, **__: object) -> IO[bytes]:
    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError("no room is left")

        def fileno(self) -> int:
            return os.open("/dev/full", os.O_RDWR)

    return Full()


@pytest.mark.parametrize("temporary", [refuse, full])
def test_without_room_for_files_the_numbers_are_in_memory(
    monkeypatch: pytest.MonkeyPatch, temporary: Callable[..., object]
) -> None:
    usual = LanguageGuesser(LATIN_LANGUAGES).guess(TEXT)
    monkeypatch.setattr("tempfile.TemporaryFile", temporary)
    assert LanguageGuesser(LATIN_LANGUAGES).guess(TEXT) == usual
