"""Which language a text is in, also beside the library that guesses it."""

from __future__ import annotations

import tomllib

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from app.text import language
from app.text.language import text_language
from engines.writing_scripts import primary_subtag
from tests.conftest import ROOT

MOST_RESIDENT = 10_000_000
"""Bytes. The library's own table of transitions has 41 MB."""


def test_guesses_are_the_library_s_own() -> None:
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    whole.set_languages(list(language.LATIN_LANGUAGES))
    tables = tomllib.loads((ROOT / "tests/data/utterances.toml").read_text("utf-8")).values()
    texts = [text for table in tables for text in table["sentences"]]
    assert texts
    ours = language._identifier()
    assert [ours.classify(text) for text in texts] == [whole.classify(text) for text in texts]


def test_its_large_table_is_not_in_memory_of_its_own() -> None:
    ours = language._identifier()
    assert isinstance(ours.tk_nextmove, memoryview)
    assert ours.nb_ptc.shape[1] == len(language.LATIN_LANGUAGES)
    assert ours.nb_ptc.nbytes < MOST_RESIDENT


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
