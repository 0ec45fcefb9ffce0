"""Language tags, and which script a text is written in: the script identifies some languages, such as Chinese
and Japanese.

Law: pure; regular expressions over Unicode ranges and nothing else.
"""

from __future__ import annotations

import re

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_MARKS = "\u3001-\u3003\u3005\u3007-\u3011\u30fc\uff01\uff0c\uff1a\uff1b\uff1f"
_SCRIPTS = (
    ("ja", re.compile(f"[{_KANA}]")),
    ("zh", re.compile(f"[{_HAN}]")),
    ("ko", re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ar", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_CJK_RUN = re.compile(f"([{_HAN}{_KANA}][{_HAN}{_KANA}{_MARKS}]*)")
_LETTER = re.compile(r"[^\W\d_]")


def primary_subtag(tag: str) -> str:
    """The language of a BCP 47 tag: `pt` of `pt-BR`, `yue` of `yue-HK`."""
    return tag.partition("-")[0].lower()


def script_language(text: str) -> str | None:
    """The language whose script most letters of `text` have; None for Latin and for unknown scripts."""
    letters = len(_LETTER.findall(text))
    counts = {code: len(pattern.findall(text)) for code, pattern in _SCRIPTS}
    if counts["ja"]:  # Han characters between kana are Japanese
        counts["ja"] += counts.pop("zh")
    code = max(counts, key=lambda name: counts[name])
    return code if counts[code] * 2 > letters else None


def runs(text: str, language: str) -> list[tuple[str, str]]:
    """`text` divided where Chinese or Japanese characters begin and end; each run with its language.

    Other scripts are not divided: the synthesizer knows their letters at least.
    """
    pieces = []
    for piece in _CJK_RUN.split(text):
        if not piece:
            continue
        own = primary_subtag(language) in ("ja", "zh") or not _CJK_RUN.fullmatch(piece)
        pieces.append((piece, language if own else script_language(piece) or language))
    return pieces
