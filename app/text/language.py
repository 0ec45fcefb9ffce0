"""In which language a text is written. Law: pure; a guess that is not sure is the voice's own language."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from engines.scripts import script_language

LATIN = (
    "en",
    "es",
    "fr",
    "it",
    "pt",
    "de",
    "nl",
    "pl",
    "tr",
    "sv",
    "id",
    "vi",
    "fi",
    "cs",
    "ro",
    "hu",
    "da",
    "no",
)
SURE = 0.9
ENOUGH = 20
"""Letters under which a guess between Latin languages is a coin toss."""
_WORDS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|\d+")


def text_language(text: str, voice: str) -> str:
    """BCP 47 tag of the text's language; `voice`, the voice's tag, where the two agree or nothing is sure."""
    base = voice[:2].lower()
    found = script_language(text)
    if found == "zh" and base == "ja":  # a sentence may be in Han signs alone
        found = "ja"
    if found is None:
        found = _latin_language(_WORDS.sub(" ", text)) or base
    if found == base:
        return voice
    return found


def other_script(text: str) -> str | None:
    """ISO 639-1 code of the language, if most letters are in another script than the Latin one; else None."""
    return script_language(text)


def _latin_language(text: str) -> str | None:
    if sum(sign.isalpha() for sign in text) < ENOUGH:
        return None
    code, probability = _identifier().classify(text.lower() if text.isupper() else text)
    return str(code) if probability >= SURE else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LATIN))
    return identifier
