"""Written text -> spoken text: no control characters, no markup, numbers and signs as words.

Law: pure, and never raises. Libraries write out numbers and signs; the patterns here correct what they get
wrong.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from engines.scripts import primary_subtag

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
    import emoji

    if text.isascii():
        return text
    names = language if language in EMOJI_LANGUAGES else "en"
    named: str = emoji.demojize(text, language=names, delimiters=(" \u0002", "\u0003 "))
    return re.sub("\u0002(.*?)\u0003", lambda match: match[1].replace("_", " ").replace("-", " "), named)


def _normalised(text: str, language: str) -> str:
    try:
        words: str = _normaliser(language).normalize(text)
    except Exception:  # noqa: BLE001 - the normaliser must never cost an answer; the engine reads digits too
        return text
    return words or text


@cache
def _normaliser(language: str) -> Any:
    from wetext import Normalizer

    return Normalizer(lang=language, operator="tn")
