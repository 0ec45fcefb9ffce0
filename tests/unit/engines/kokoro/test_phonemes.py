"""Phonemes of several languages."""

from __future__ import annotations

import logging
import sys
import weakref
from typing import Any

import pytest
from phonemizer.backend import EspeakBackend

from engines.kokoro.phonemes import LONGEST_PASS, Phonemes, divided, pause


def test_languages_share_one_copy_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each copy takes 4 MB, which are never freed, and requests name any of a hundred languages."""
    opened: list[str] = []

    class Counted(EspeakBackend):  # type: ignore[misc]  # the library has no types
        def __init__(self, language: str, **options: Any) -> None:
            opened.append(language)
            super().__init__(language, **options)

    monkeypatch.setattr("phonemizer.backend.EspeakBackend", Counted)
    texts = {"en-US": "one", "es": "uno", "fr-FR": "un", "ru": "один", "qqq": "one"}
    phonemes = Phonemes()
    first = {language: phonemes.phonemes(text, language) for language, text in texts.items()}
    again = {language: phonemes.phonemes(text, language) for language, text in reversed(texts.items())}
    assert first == again
    assert first["qqq"] == first["en-US"], "a language that is not known is read as English"
    assert len({first[language] for language in ("en-US", "es", "fr-FR", "ru")}) == 4
    assert opened == ["en-us"]


@pytest.mark.parametrize(
    ("clauses", "passes", "silences"),
    [
        (["a" * 40 + "."] * 4, 2, [0.35, 0.35]),
        (["a" * 90 + "."] * 4, 4, [0.35] * 4),
        (["a" * 90 + ",", "a" * 90 + "."] * 2, 2, [0.35, 0.35]),
        (["a" * 90 + ","] * 4, 2, [0.14, 0.14]),
        (["ab " * 36 + "x."] * 8, 8, [0.35] * 8),
        (["a" * 20 + ".", "ab " * 36 + "x.", "a" * 20 + "?"], 3, [0.35] * 3),
        (["a b " * 100], 1, [0.05]),  # one clause of 400 phonemes
        (["a b " * 300], 3, [0.05] * 3),
    ],
)
def test_passes_end_with_sentences_or_clauses(clauses: list[str], passes: int, silences: list[float]) -> None:
    found = divided(" ".join(clauses).strip())
    assert len(found) == passes
    assert max(map(len, found)) <= LONGEST_PASS
    assert [pause(part) for part in found] == silences
    assert " ".join(found).split() == " ".join(clauses).split()


@pytest.mark.slow
def test_what_reads_chinese_is_given_back_when_none_is_read() -> None:
    pytest.importorskip("jieba", reason="the extra `asian`, which reads Chinese, is not installed")
    phonemes = Phonemes()
    phonemes.rest()
    first = phonemes.phonemes("今天天气很好。", "zh")
    japanese = phonemes.phonemes("こんにちは", "ja")
    words = weakref.ref(sys.modules["jieba"].dt)
    phonemes.rest()
    assert words(), "they were needed in this period of work"
    phonemes.phonemes("one", "en-US")
    phonemes.rest()
    assert not words()
    assert not {"jieba", "pypinyin", "misaki.zh"} & sys.modules.keys()
    assert phonemes.phonemes("こんにちは", "ja") == japanese
    assert phonemes.phonemes("今天天气很好。", "zh") == first
    assert len(logging.getLogger("jieba").handlers) == 1
    phonemes.close()
    assert "jieba" not in sys.modules
