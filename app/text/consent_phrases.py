"""The consent phrases, and the check whether one was said.

The sixteen phrases are those of OpenAI's guide; the organisation's name is a setting. Law: pure.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from importlib.resources import files

from rapidfuzz.distance import Levenshtein

OPENAI = "OpenAI"
_DATA = tomllib.loads(files("app.text").joinpath("consent_phrases.toml").read_text("utf-8"))
PHRASES: dict[str, str] = {language: raw["phrase"] for language, raw in _DATA.items()}
# A recogniser may miss a letter; a "not" turns the phrase into its opposite, however near it is in letters.
NEGATIONS = {code: frozenset(raw["negations"].split()) for code, raw in _DATA.items() if "negations" in raw}
NEGATING_SIGNS = {code: raw["negating_signs"] for code, raw in _DATA.items() if "negating_signs" in raw}
LONGEST_TAG = 40
"""The most characters of a BCP 47 tag."""
COMPARED_CHARACTERS = 2000
"""The most characters of a transcript that are compared."""


@dataclass(frozen=True, slots=True)
class PhraseMatch:
    """The comparison of the transcript with the expected phrase."""

    heard: str
    expected: str
    score: float
    """Share of the letters that agree, 0..1."""
    negated: bool
    """Whether the transcript has a negation that the phrase does not have."""


def phrase_language(tag: str) -> str | None:
    """The language (`en` of `en-US`) whose phrase is to be read; None for a tag without one."""
    language = tag.partition("-")[0].lower()
    return language if language in PHRASES and len(tag) <= LONGEST_TAG else None


def expected_phrase(tag: str, organisation: str) -> str | None:
    """The phrase to read in a language (BCP 47); None for one without a phrase."""
    language = phrase_language(tag)
    return PHRASES[language].replace(OPENAI, organisation) if language else None


def match(heard: str, language: str, organisation: str) -> PhraseMatch:
    """The better match of the organisation's phrase and of OpenAI's. `language`: a key of `PHRASES`."""
    text = heard[:COMPARED_CHARACTERS]
    phrases = {PHRASES[language], PHRASES[language].replace(OPENAI, organisation)}
    score, phrase = max((_score(text, phrase), phrase) for phrase in phrases)
    return PhraseMatch(text, phrase, score, _negated(text, phrase, language))


def _score(heard: str, phrase: str) -> float:
    ours, theirs = _letters(phrase), _letters(heard)
    return max(0.0, 1.0 - Levenshtein.distance(ours, theirs) / max(len(ours), 1))


def _negated(heard: str, phrase: str, base: str) -> bool:
    if base in NEGATING_SIGNS:
        return any(sign in heard and sign not in phrase for sign in NEGATING_SIGNS[base])
    return bool((_words(heard) & NEGATIONS[base]) - _words(phrase))


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return {*re.findall(r"[\w'\u0900-\u097f]+", plain), *re.findall(r"\bn'", plain)}


def _letters(text: str) -> str:
    """Letters and digits alone: spacing and marks differ between speakers, recognisers and scripts."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return "".join(sign for sign in plain if sign.isalnum() or unicodedata.category(sign) in ("Mn", "Mc"))
