"""Consent phrases: which recordings count as saying one, and which do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.consent_phrases import PHRASES, expected_phrase, match, phrase_language

ENGLISH = PHRASES["en"]


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_each_phrase_matches_itself_and_nothing_of_another_language(language: str) -> None:
    found = match(PHRASES[language].lower().replace(".", ""), language, "OpenAI")
    assert found.score == 1
    assert not found.negated
    other = "de" if language != "de" else "en"
    assert match(PHRASES[other], language, "OpenAI").score < 0.6


def test_there_are_sixteen() -> None:
    assert len(PHRASES) == 16
    assert all("OpenAI" in phrase for phrase in PHRASES.values())


HEARD = [
    (ENGLISH, True),
    (ENGLISH.replace("OpenAI", "open AI"), True),
    (ENGLISH.replace("I am", "I'm").replace("OpenAI", "Open A.I."), True),
    (ENGLISH.replace("I consent", "I do not consent"), False),
    (ENGLISH.replace("I consent", "I don't consent"), False),
    (ENGLISH.replace("I am", "I am never"), False),
    (ENGLISH + " Just kidding, this was only a test of the system, thank you.", False),
    ("I am the owner of this voice.", False),
    ("The weather is lovely today.", False),
    ("", False),
    (ENGLISH * 100, False),
]


@pytest.mark.parametrize(("heard", "passes"), HEARD, ids=range(len(HEARD)))
def test_what_passes(heard: str, passes: bool) -> None:
    found = match(heard, "en", "OpenAI")
    assert (found.score >= 0.85 and not found.negated) == passes


def test_the_organisation_may_be_ours_or_openai() -> None:
    ours = ENGLISH.replace("OpenAI", "Saint Mary Hospital")
    assert match(ours, "en", "Saint Mary Hospital").score == 1
    assert match(ENGLISH, "en", "Saint Mary Hospital").score == 1
    assert expected_phrase("en-GB", "Saint Mary Hospital") == ours
    assert expected_phrase("xx", "OpenAI") is None


@pytest.mark.parametrize(
    ("language", "heard"),
    [
        ("de", PHRASES["de"].replace("damit einverstanden", "damit nicht einverstanden")),
        ("fr", PHRASES["fr"].replace("j'autorise", "je n'autorise pas")),
        ("es", PHRASES["es"].replace("doy", "no doy")),
        ("ru", PHRASES["ru"].replace("даю", "не даю")),
        ("zh", PHRASES["zh"].replace("授权", "不授权")),
        ("ja", PHRASES["ja"].replace("承認します", "承認しません")),
    ],
)
def test_a_negation_is_heard_in_every_tongue(language: str, heard: str) -> None:
    assert match(heard, language, "OpenAI").negated


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("EN-us", "en"),
        ("zh-Hant-TW", "zh"),
        ("esperanto", None),
        ("fragile", None),
        ("en\0", None),
        ("en" + 300 * "x", None),
        ("en-" + 300 * "x", None),
        ("english; drop table", None),
        ("", None),
        ("-en", None),
        ("sv-SE", None),
    ],
    ids=range(12),
)
def test_only_languages_with_a_phrase_have_one(tag: str, language: str | None) -> None:
    assert phrase_language(tag) == language


@pytest.mark.slow
@given(st.text(max_size=2500))
def test_whatever_is_heard_has_a_score(heard: str) -> None:
    for language in PHRASES:
        found = match(heard, language, "OpenAI")
        assert 0 <= found.score <= 1
        assert (found.score == 1) <= bool(found.heard)
