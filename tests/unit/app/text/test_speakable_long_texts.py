"""Processing long and odd texts does not hold Python's GIL for long, because the event loop needs it."""

from __future__ import annotations

import pytest

from app.text import speakable
from app.text.speakable import NORMALISED_CHARACTERS, spoken
from app.text.utterances import Utterances
from tests.support.gil_time import longest_hold

LONGEST = 0.1
"""The longest time, in seconds of CPU time, for which a call may hold Python's GIL."""
TRIES = 3
PATTERNS = (
    "9", "1 ", "-1 ", "1-2-3 ", "9.9.9.9.", "1/2 ", "$1,234,567.89 ", "12:30 ", "2024-01-01 ", "(1) ", "%",
    "a@b.c ", "http://a.b/?c=1 ", "é", "語", "👩‍👩‍👧", "x", "A.", ". ", "(", "a\u0301\u0302", "<break ", "ﷺ",
)  # fmt: skip
LANGUAGES = ("en-US", "zh-CN", "ja-JP")


def utterances(text: str, language: str) -> None:
    cutter = Utterances(language)
    list(cutter.feed(text))
    list(cutter.flush())


@pytest.mark.slow
@pytest.mark.uncounted
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_text_keeps_the_lock(pattern: str, language: str) -> None:
    text = (pattern * 4096)[:4096]
    utterances("Good morning, 12.", language)  # loads the libraries before the time is measured
    assert any(longest_hold(lambda: utterances(text, language)) < LONGEST for _ in range(TRIES))


SENTENCES = {
    "en": (
        "On 1 May 2024 at 10:30 a.m. Dr. Smith of 12, High St. paid $5.50 for 3 kg of tea & 2 lb of nuts.",
        "In the 1990s, about 1,000 of the 12,500 members, 8.5% of them, lived within 5 km of the A40 road.",
        "World War II ended in 1945, when Henry VIII had been dead for 398 years and his 6 wives, too.",
        "Version 2.0.1 of AT&T's tool costs €1,299.99 or £999, weighs 0.5 kg and draws 12 V at -40 °C.",
        "Call +1 (555) 123-4567, write to a@example.com, see https://example.com/a?b=1, 1/2 of all vs. 3/4.",
        "The 1st, 2nd and 3rd of 5 million visitors came between 9 and 17:45 on 24/12/2023, i.e. a Sunday.",
    ),
    "zh": (
        "他在2024年5月1日上午10:30花了3千元钱买了5公斤苹果，占总数的8.5%，气温是-5摄氏度，电话是123-4567。",
    ),
    "ja": ("彼は2024年5月1日の午前10時30分に3千円で5キロのりんごを買い、全体の8.5%を1/2ずつ分けました。",),
}
"""Real sentences are shorter than the parts that the normaliser gets, so the tests repeat them until they
are longer.
"""
WORDS = {"en": "then we heard that ", "zh": "后来我们听说", "ja": "そして私たちは"}


@pytest.mark.slow
@pytest.mark.parametrize("language", SENTENCES)
def test_wherever_a_long_sentence_is_divided_it_is_read_as_the_whole(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sentence in SENTENCES[language]:
        for before in range(0, 100, 19):
            words = (WORDS[language] * 40)[: NORMALISED_CHARACTERS - before].rpartition(" ")[0]
            text = f"{words or WORDS[language] * 20} {sentence} {sentence} {sentence}"
            assert len(text) > NORMALISED_CHARACTERS
            in_parts = spoken(text, language)
            with monkeypatch.context() as patched:
                patched.setattr(speakable, "NORMALISED_CHARACTERS", len(text))
                assert in_parts == spoken(text, language)


@pytest.mark.parametrize("language", SENTENCES)
def test_an_ordinary_sentence_is_not_divided(language: str) -> None:
    for sentence in SENTENCES[language]:
        assert list(speakable._parts(sentence)) == [(sentence, "")]


def test_text_without_words_is_divided_anywhere_and_loses_nothing() -> None:
    for text in ("9" * 1_000, "1 " * 500, "a1" * 400, "語" * 999, "w " * 300 + "9" * 400):
        parts = list(speakable._parts(text))
        assert "".join(part + gap for part, gap in parts) == text
        assert all(0 < len(part) <= NORMALISED_CHARACTERS for part, _ in parts)


def test_text_without_spaces_stays_without_them() -> None:
    assert " " not in spoken("語語語語，" * 200 + "5#", "zh").removesuffix("#")
