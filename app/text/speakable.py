"""Converts written text to spoken text: no control characters, no markup, numbers and signs as words.

Law: pure, and never raises. Libraries write out numbers and signs; the patterns here correct what they get
wrong.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from engines.writing_scripts import primary_subtag

_TAGS = "speak|break|prosody|emphasis|say-as|voice|phoneme|sub|audio|lang|mark|amazon:\\w+|mstts:\\S+|p|s|w"
_SSML = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]{{0,500}})?/?>", re.IGNORECASE)
_INVISIBLE = {"Cc", "Cf", "Co", "Cs", "Cn"}
_KEPT = {
    "\n",
    "\t",
    "\u200c",
    "\u200d",
}  # zero-width joiners change letters in some scripts
# "1990s" would be read as seconds, "2.0.1" as a broken fraction, "$5.50" as five point five dollars.
_DECADE = re.compile(r"\b(1[1-9]|20)(\d)0['’]?s\b")
_VERSION = re.compile(r"(?<![\d.])\d{1,4}(?:\.\d{1,4}){2,4}\b")
_MONEY = re.compile(
    r"([$€£])(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d\d))?(?![\d.,]*\d)(?!\s*(?:[kKMB]\b|million|billion|trillion))"
)
_THOUSANDS = re.compile(r"(?<![\d.,$€£])(1,\d{3}|1000)(?![\d]|[.,]\d)")
_COINS = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_TENS = ("hundreds", "tens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties",
         "nineties")  # fmt: skip
_DIGITS = re.compile(r"\d{13,}")
_TITLES = {"vs.": "versus", "etc.": "et cetera", "e.g.": "for example", "i.e.": "that is", "approx.": "about"}
_TITLE = re.compile(r"(?<!\w)(" + "|".join(re.escape(word) for word in _TITLES) + r")(?!\w)", re.IGNORECASE)
_LONG_WORD = re.compile(r"\w{60,}")
NORMALISED_CHARACTERS = 200
"""The most characters that the normaliser gets at once. It holds Python's GIL while it works (40 ms for so
many digits, seconds for thousands), and no other request is served meanwhile.
"""
_HAN_OR_KANA = "[\u3040-\u30ff\u3400-\u9fff]"
_BREAKS = (
    re.compile(rf"(?<=[^\W\d_A-Z]{{3}}) (?=[^\W\d_A-Z]{{3}})|(?<={_HAN_OR_KANA})(?={_HAN_OR_KANA})"),
    re.compile(" "),
)
"""Places where a text may be divided, the best ones first. "War II" is not divided, because it contains a
number.
"""
_ESCAPED = re.compile(r'\\(["\\])')
"""The normaliser puts a backslash before each of these signs; a voice may read it out."""
_MAY_BE_EMOJI = re.compile("[\u00a9\u00ae\u203c-\u2fff\u3030\u303d\u3297\u3299\U0001f000-\U0010ffff]")
"""Every emoji has one of these, which letters and common punctuation are not."""
EMOJI_LANGUAGES = ("en", "es", "de", "fr", "pt", "it", "ja", "ko", "zh", "ru", "ar", "tr", "id")


def cleaned(text: str) -> str:
    """The text without parts that no voice can say: control and format characters, SSML tags."""
    plain = _SSML.sub(" ", unicodedata.normalize("NFC", text))
    return "".join(sign for sign in plain if sign in _KEPT or unicodedata.category(sign) not in _INVISIBLE)


def spoken(sentence: str, language: str) -> str:
    """The sentence with numbers and signs as words, if the language (BCP 47) has a normaliser."""
    base = primary_subtag(language)
    text = _emoji_names(sentence, base)
    text = _LONG_WORD.sub(lambda match: " ".join(re.findall(".{1,40}", match[0])), text)
    if base == "en":
        text = _patched(text)
    if base in ("en", "zh", "ja") and re.search(r"[\d$€£¥%&+=<>@#/]", text):
        text = _normalised(text, base)
    return " ".join(text.split())


def _patched(text: str) -> str:
    text = _DECADE.sub(_decade, text)
    text = _MONEY.sub(_money, text)
    text = _THOUSANDS.sub(lambda match: _counted(int(match[1].replace(",", ""))), text)
    text = _VERSION.sub(lambda match: match[0].replace(".", " point "), text)
    text = _DIGITS.sub(lambda match: " ".join(match[0]), text)
    return _TITLE.sub(lambda match: _TITLES[match[0].lower()], text)


def _decade(match: re.Match[str]) -> str:
    century, ten = match[1], int(match[2])
    if century == "20" and ten == 0:
        return "two thousands"
    return f"{century} {_TENS[ten]}"


def _money(match: re.Match[str]) -> str:
    whole, part = int(match[2].replace(",", "")), int(match[3] or 0)
    coin, small = _COINS[match[1]]
    smalls = "pence" if small == "penny" else small + "s"
    words = f"{_counted(whole)} {coin if whole == 1 else coin + 's'}"
    return f"{words} and {part} {small if part == 1 else smalls}" if part else words


def _counted(number: int) -> str:
    """A number that is not a year, in words: the normaliser leaves out the "one" of "one thousand"."""
    if not 1000 <= number < 2000:
        return f"{number:,}"
    rest = number - 1000
    return "one thousand" + (f" {'and ' if rest < 100 else ''}{rest}" if rest else "")


def _emoji_names(text: str, language: str) -> str:
    if not _MAY_BE_EMOJI.search(text):
        return text
    import emoji  # with 5 MB of names

    names = language if language in EMOJI_LANGUAGES else "en"
    named: str = emoji.demojize(text, language=names, delimiters=(" \u0002", "\u0003 "))
    return re.sub("\u0002(.*?)\u0003", lambda match: match[1].replace("_", " ").replace("-", " "), named)


def _normalised(text: str, language: str) -> str:
    return "".join(_normalised_part(part, language) + gap for part, gap in _parts(text))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The text in parts that are short enough, each with the space that stood behind it: divided between two
    words without numbers or signs, so that both sides are read as in the whole; else at a space, or anywhere.
    """
    while len(text) > NORMALISED_CHARACTERS:
        end, rest = next(filter(None, map(partial(_last_break, text), _BREAKS)), (NORMALISED_CHARACTERS,) * 2)
        yield text[:end], text[end:rest]
        text = text[rest:]
    yield text, ""


def _last_break(text: str, at: re.Pattern[str]) -> tuple[int, int] | None:
    """Where the longest first part of the text ends, and where the second one begins."""
    found = list(at.finditer(text, 1, NORMALISED_CHARACTERS))
    return found[-1].span() if found else None


def _normalised_part(text: str, language: str) -> str:
    try:
        words: str = _normaliser(language).normalize(text)
    except Exception:  # noqa: BLE001 - the normaliser must never cost an answer; the engine reads digits too
        return text
    return _ESCAPED.sub(r"\1", words) or text


@cache
def _normaliser(language: str) -> Any:
    with _importing:
        _import_with_late_grammars()
    from wetext import Normalizer

    return Normalizer(lang=language, operator="tn")


def _import_with_late_grammars() -> None:
    """Imports wetext so that it loads each grammar when it is first used, and not those of all languages and
    directions at once, which takes 13 MB and 0.12 CPU s more.
    """
    import kaldifst

    load = kaldifst.TextNormalizer
    kaldifst.TextNormalizer = partial(_LateGrammar, load)
    try:
        import wetext  # noqa: F401 - it makes its grammars when it is imported
    finally:
        kaldifst.TextNormalizer = load


class _LateGrammar:
    """A grammar that is loaded when the first text is given to it."""

    def __init__(self, load: Callable[[str], Callable[[str], str]], path: str) -> None:
        self._loaded = cache(partial(load, path))

    def __call__(self, text: str) -> str:
        return self._loaded()(text)


_importing = threading.Lock()
