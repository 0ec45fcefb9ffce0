"""Whether a voice can read a text, by the scripts of their languages.

Text in the Latin script is read by every voice, with an accent at worst. Text in another script is read only
by voices made for it: the others give noise.

Law: pure functions of language codes.
"""

from __future__ import annotations

from functools import cache

from engines.types import Voice

NAMES = {
    "ar": "Arabic", "el": "Greek", "he": "Hebrew", "hi": "Hindi", "ja": "Japanese", "ko": "Korean",
    "ru": "Russian", "th": "Thai", "zh": "Chinese",
}  # fmt: skip
"""Languages that can be recognised by their script, for messages."""
_CHINESE = {"Hans": "Hani", "Hant": "Hani"}


def can_read(voice: Voice, language: str | None) -> bool:
    """Whether a voice can read a text. `language`: the language of a text in a script that is not Latin; None
    for a text in the Latin script, which every voice can read.
    """
    if language is None:
        return True
    script = script_of(language)
    own = script_of(voice.language)
    # A Japanese text may have no kana, so it looks like a Chinese one.
    return script in (own, *map(script_of, voice.also)) or (script == "Hani" and own == "Jpan")


def language_name(code: str) -> str:
    """The English name of a language, for a sentence."""
    return NAMES.get(code, f"text of the language '{code}'")


@cache
def script_of(tag: str) -> str:
    """The ISO 15924 code of the script that a language is usually written in; Chinese is one script here."""
    from langcodes import Language

    try:
        script = Language.get(tag).maximize().script or ""
    except ValueError:
        script = ""
    return _CHINESE.get(script, script)
