"""Detects the language in which a text is written. Law: pure; an unsure guess gives the voice's own
language.
"""

from __future__ import annotations

import mmap
import re
import tempfile
from array import array
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from engines.writing_scripts import primary_subtag, script_language

LATIN_LANGUAGES = (
    "en", "es", "fr", "it", "pt", "de", "nl", "pl", "tr", "sv", "id", "vi", "fi", "cs", "ro", "hu", "da",
    "no",
)  # fmt: skip
"""Languages in Latin script between which a guess is made."""
MIN_PROBABILITY = 0.9
"""A guess with a lower probability is not used."""
MIN_LETTERS = 20
"""Least number of letters; with fewer, a guess between languages in Latin script is random."""
_NO_WORDS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|\d+")


def text_language(text: str, voice: str) -> str:
    """The BCP 47 tag of the text's language.

    `voice`: the voice's own tag. It is returned if the languages are the same or the guess is unsure.
    """
    base = primary_subtag(voice)
    language = script_language(text)
    if language == "zh" and base == "ja":  # a Japanese sentence may consist of Han characters only
        language = "ja"
    if language is None:
        language = _latin_language(_NO_WORDS.sub(" ", text)) or base
    return voice if language == base else language


def other_script(text: str) -> str | None:
    """ISO 639-1 code of the language, if most letters are in another script than the Latin one; else None."""
    return script_language(text)


def _latin_language(text: str) -> str | None:
    if sum(sign.isalpha() for sign in text) < MIN_LETTERS:
        return None
    code, probability = _identifier().classify(text.lower() if text.isupper() else text)
    return str(code) if probability >= MIN_PROBABILITY else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    every = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    every.set_languages(list(LATIN_LANGUAGES))
    # Its `set_languages` keeps the numbers of all languages; another identifier has those of ours alone.
    return LanguageIdentifier(
        every.nb_ptc,
        every.nb_pc,
        every.nb_classes,
        _on_disk(every.tk_nextmove),
        every.tk_output,
        norm_probs=True,
        tk_row=every.tk_row,
    )


def _on_disk(table: array[int]) -> Sequence[int]:
    """The same numbers in a file without a name: of these 40 MB, a text needs a few pages. Where no such file
    can be written, the table itself.
    """
    try:
        with tempfile.TemporaryFile() as file:
            table.tofile(file)
            file.flush()
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError:
        return table
    numbers: memoryview[Any] = memoryview(pages).cast(cast("Any", table.typecode))
    return numbers
