"""Whisper's languages: codes and English names, as OpenAI's answers write them.

Law: one table, and functions that read the notations of clients.
"""

from __future__ import annotations

from langcodes import standardize_tag
from langcodes.tag_parser import LanguageTagError, parse_tag

LONGEST_TAG = 35
"""The most characters of a tag, as RFC 5646 (section 4.4.1) recommends."""

NAMES: dict[str, str] = {
    "af": "afrikaans", "am": "amharic", "ar": "arabic", "as": "assamese", "az": "azerbaijani",
    "ba": "bashkir", "be": "belarusian", "bg": "bulgarian", "bn": "bengali", "bo": "tibetan",
    "br": "breton", "bs": "bosnian", "ca": "catalan", "cs": "czech", "cy": "welsh", "da": "danish",
    "de": "german", "el": "greek", "en": "english", "es": "spanish", "et": "estonian", "eu": "basque",
    "fa": "persian", "fi": "finnish", "fo": "faroese", "fr": "french", "gl": "galician",
    "gu": "gujarati", "ha": "hausa", "haw": "hawaiian", "he": "hebrew", "hi": "hindi",
    "hr": "croatian", "ht": "haitian creole", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "is": "icelandic", "it": "italian", "ja": "japanese", "jw": "javanese",
    "ka": "georgian", "kk": "kazakh", "km": "khmer", "kn": "kannada", "ko": "korean", "la": "latin",
    "lb": "luxembourgish", "ln": "lingala", "lo": "lao", "lt": "lithuanian", "lv": "latvian",
    "mg": "malagasy", "mi": "maori", "mk": "macedonian", "ml": "malayalam", "mn": "mongolian",
    "mr": "marathi", "ms": "malay", "mt": "maltese", "my": "myanmar", "ne": "nepali", "nl": "dutch",
    "nn": "nynorsk", "no": "norwegian", "oc": "occitan", "pa": "punjabi", "pl": "polish",
    "ps": "pashto", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sa": "sanskrit",
    "sd": "sindhi", "si": "sinhala", "sk": "slovak", "sl": "slovenian", "sn": "shona",
    "so": "somali", "sq": "albanian", "sr": "serbian", "su": "sundanese", "sv": "swedish",
    "sw": "swahili", "ta": "tamil", "te": "telugu", "tg": "tajik", "th": "thai", "tk": "turkmen",
    "tl": "tagalog", "tr": "turkish", "tt": "tatar", "uk": "ukrainian", "ur": "urdu", "uz": "uzbek",
    "vi": "vietnamese", "yi": "yiddish", "yo": "yoruba", "yue": "cantonese", "zh": "chinese",
}  # fmt: skip

SYNONYMS = {
    "burmese": "my", "castilian": "es", "farsi": "fa", "filipino": "tl", "flemish": "nl",
    "haitian": "ht", "letzeburgesch": "lb", "mandarin": "zh", "moldavian": "ro", "moldovan": "ro",
    "panjabi": "pa", "pushto": "ps", "sinhalese": "si", "valencian": "ca", "jv": "jw", "nb": "no",
    "iw": "he", "in": "id", "fil": "tl", "cmn": "zh",
}  # fmt: skip

_CODES = {name: code for code, name in NAMES.items()} | SYNONYMS


def language_code(text: str) -> str | None:
    """Whisper's code for `en`, `EN`, `en-US`, `en_us`, `eng`, `english`; None for anything else."""
    plain = text.strip().lower()
    if plain in NAMES or plain in _CODES:
        return _CODES.get(plain, plain)
    tag = language_tag(text)
    primary = tag.partition("-")[0] if tag else ""
    code = _CODES.get(primary, primary)
    return code if code in NAMES else None


def language_tag(text: str) -> str | None:
    """A BCP 47 tag in its standard form (`en-US` for `EN_us`, `de` for `deu` or `german`); else None.

    The part before the first hyphen is the language: two letters where ISO 639-1 has it, else three.
    """
    plain = text.strip().replace("_", "-")
    if (name := _CODES.get(plain.lower())) and len(plain) > 3:
        return standardize_tag(name)
    if not plain or len(plain) > LONGEST_TAG:
        return None
    try:
        parts: list[tuple[str, str]] = parse_tag(plain)  # type: ignore[no-untyped-call]  # has none
    except LanguageTagError:
        return None
    languages = [part for kind, part in parts if kind in ("language", "extlang")]
    if not languages or not 2 <= len(languages[-1]) <= 3:
        return None
    # Only the primary subtag is looked up, because the library caches every tag for ever.
    rest = [part for kind, part in parts if kind not in ("language", "extlang")]
    return "-".join([standardize_tag(languages[-1]), *rest])


def language_name(code: str) -> str:
    """The English name of a language, such as `english` for `en`; an unknown code is returned as it is."""
    return NAMES.get(code, code)
