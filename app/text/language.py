"""Detects the language in which a text is written. Law: pure; an unsure guess gives the voice's own
language.
"""

from __future__ import annotations

import io
import lzma
import math
import os
import re
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

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
COPIED_BYTES = 1 << 20
"""Bytes of the model that are unpacked at once."""
BYTE_BITS = 8
"""The table of moves has a row of 256 numbers, one for each byte."""
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
    code, probability = _guesser().guess(text)
    return code if probability >= MIN_PROBABILITY else None


@cache
def _guesser() -> LanguageGuesser:
    return LanguageGuesser(LATIN_LANGUAGES)


class StoredNumbers:
    """A table whose numbers are read from a file, one row at a time. Any thread may use it. Where there can
    be no file, they are in memory.
    """

    def __init__(self, table: NDArray[Any]) -> None:
        self._type, self._width = table.dtype, table[0].nbytes
        self._file = _stored(table)
        self._whole = b"" if self._file else table.tobytes()

    def row(self, at: int) -> bytes:
        first = at * self._width
        if self._file:
            return os.pread(self._file.fileno(), self._width, first)
        return self._whole[first : first + self._width]

    def rows(self, places: Iterable[int]) -> NDArray[Any]:
        """The rows at these places, one behind the other."""
        return np.frombuffer(b"".join(map(self.row, places)), self._type)

    def __getitem__(self, at: int) -> int:
        return int.from_bytes(self.row(at), sys.byteorder)

    def __del__(self) -> None:
        if self._file:
            self._file.close()


def _stored(table: NDArray[Any]) -> IO[bytes] | None:
    """A file without a name that holds the table; None where there can be none."""
    file = _temporary()
    try:
        if file:
            table.tofile(file)
            file.flush()
    except OSError:  # the disk is full
        return None
    return file


def _temporary() -> IO[bytes] | None:
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return None


class LanguageGuesser:
    """Guesses as py3langid does. A text needs few of its 60 MB of numbers, so they stay in files without
    names, and are read: pages of a mapped file would come to be in memory, 64 kB for each number.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        from py3langid.langid import MODEL_DIR, MODEL_FILE, visit_counts

        self._visits = visit_counts
        with _unpacked(MODEL_DIR / MODEL_FILE) as unpacked, np.load(unpacked, allow_pickle=False) as arrays:
            names = arrays["classes"].tolist()
            columns = [at for at, name in enumerate(names) if name in languages]
            self._languages, self._priors = [names[at] for at in columns], arrays["pc"][columns]
            self._rows = memoryview(arrays["nextmove_row"].astype(np.uint32) << BYTE_BITS)
            self._features = memoryview(arrays["out_feat"])
            self._moves = StoredNumbers(arrays["nextmove"])
            self._weights = StoredNumbers(np.ascontiguousarray(arrays["ptc"][:, columns]))

    def guess(self, text: str) -> tuple[str, float]:
        """The likeliest language, and its probability."""
        text = unicodedata.normalize("NFC", text.lower() if text.isupper() else text)
        letters = text.encode("utf-8", "surrogatepass")
        visits = self._visits(self._moves, self._rows, self._features, letters)
        if not visits:
            return self._languages[0], 1 / len(self._languages)
        counts = np.fromiter(visits.values(), np.float32, len(visits))
        weights = self._weights.rows(visits).reshape(len(visits), -1)
        scores = np.log1p(counts) @ weights + self._priors
        scores *= 1.0 / math.sqrt(len(letters))  # as the library does, so that long texts are not too sure
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        best = int(chances.argmax())
        return self._languages[best], float(chances[best])


def _unpacked(file: Path) -> IO[bytes]:
    """What is packed in that file, from its start: in a file without a name, or else in memory."""
    with lzma.open(file) as packed:
        for found in (_temporary(), io.BytesIO()):
            if found is None:
                continue
            try:
                shutil.copyfileobj(packed, found, COPIED_BYTES)
            except OSError:  # the disk is full
                found.close()
                packed.seek(0)
                continue
            found.seek(0)
            return found
    raise AssertionError("memory takes all that there is")
