"""Which language a text is in, beside the library that guesses it."""

from __future__ import annotations

import tomllib

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from app.text import language
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
