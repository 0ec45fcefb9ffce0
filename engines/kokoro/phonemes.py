"""Converts text to the phonemes that Kokoro was trained on, as numbers of its vocabulary.

espeak-ng reads most languages; Chinese and Japanese have libraries of their own (the extra `asian`).

Law: no text is refused; signs without phonemes are left out.
"""

from __future__ import annotations

import gc
import logging
import re
import sys
import threading
from collections.abc import Callable
from itertools import groupby
from typing import Any

from engines.errors import EngineError, EngineMissing, import_failure
from engines.writing_scripts import primary_subtag, runs

PHONEMES_PER_PASS = 100
"""Phonemes of the sentences that are spoken in one pass of the network, some 6 seconds: a pass takes 13 to 19
MB for each second, and longer ones take more time for a second, because less of it stays in the CPU's caches.
"""
PHONEMES_PER_SENTENCE = 200
"""A longer sentence is spoken in several passes, which end with a clause."""
LONGEST_PASS = 500
"""The most phonemes in one pass, for a longer clause. The network has 510 positions."""
SENTENCE_PAUSE, CLAUSE_PAUSE, WORD_PAUSE = 0.35, 0.14, 0.05
"""Seconds of silence after a pass, by what it ends."""
ESPEAK = {"en-gb": "en-gb", "en": "en-us", "fr": "fr-fr", "pt": "pt-br", "zh": "cmn"}
"""espeak-ng's name of a language, by BCP 47 tag or language, where the two differ."""
ENGLISH = "en-us"
CHINESE_MODULES = ("jieba", "misaki", "pypinyin")
"""What is imported to read Chinese. `misaki` has the module for Japanese too, which is imported anew if it is
asked for; one that is in use stays.
"""
_lock = threading.Lock()  # espeak-ng's language is a global setting of the process


class Phonemes:
    """Converts text of every language to phonemes. Raises ImportError if the library is not installed."""

    def __init__(self) -> None:
        from kokoro_onnx.tokenizer import Tokenizer

        self._log = logging.getLogger("antiphon.phonemizer")  # the library's own logger resets its level
        self._log.setLevel(logging.ERROR)
        self._tokenizer = Tokenizer()
        self._espeak: Any = None
        self._language = ""
        self._asian: dict[str, Callable[[str], str]] = {}
        self._chinese_read = False

    def passes(self, text: str, language: str, *, asian: bool = False) -> list[tuple[list[int], float]]:
        """For each pass of the network the numbers of its phonemes, and the seconds of silence after it.

        `asian`: raise `EngineMissing` where the library for Chinese or Japanese is not installed; else
        espeak-ng reads such text as well as it can.
        """
        phonemes = " ".join(self.phonemes(text, language, asian=asian).split())
        found = [(self._tokenizer.tokenize(part), pause(part)) for part in divided(phonemes)]
        return [(tokens, silence) for tokens, silence in found if tokens]

    def phonemes(self, text: str, language: str, *, asian: bool = False) -> str:
        """Phonemes with the punctuation between them; empty if no phoneme sounds."""
        spoken = " ".join(self._run(piece, tag, asian=asian) for piece, tag in runs(text, language))
        known = "".join(sign for sign in spoken if sign in self._tokenizer.vocab)
        return known if any(sign.isalpha() for sign in known) else ""

    def rest(self) -> None:
        """Gives back what reads Chinese (110 MB), if none was read since the last rest. It takes a second to
        load again.
        """
        with _lock:
            if not self._chinese_read:
                self._forget_chinese()
            self._chinese_read = False

    def close(self) -> None:
        """Gives it back in any case."""
        with _lock:
            self._forget_chinese()

    def _forget_chinese(self) -> None:
        if self._asian.pop("zh", None):
            _unload_chinese()

    def _run(self, text: str, language: str, *, asian: bool) -> str:
        base = primary_subtag(language)
        with _lock:
            if base in ("ja", "zh"):
                self._chinese_read = self._chinese_read or base == "zh"
                try:
                    return self._asian_reader(base)(text)
                except EngineMissing:
                    if asian:
                        raise
            return self._read(text, ESPEAK.get(language.lower(), ESPEAK.get(base, base)))

    def _read(self, text: str, name: str) -> str:
        lines = self._reader(name).phonemize([text.replace("\n", " ")], strip=True)
        return "".join(lines)

    def _reader(self, name: str) -> Any:
        """espeak-ng, set to that language, or to English if it does not know it.

        There is one object for all languages: each loads another copy of the library, which is never freed.
        """
        if self._espeak is None:
            self._espeak = self._open()
        if name != self._language:
            self._language = ""
            library = self._espeak._espeak  # noqa: SLF001 - the object itself cannot change its language
            try:
                library.set_voice(name)
            except RuntimeError:
                library.set_voice(ENGLISH)
            self._language = name
        return self._espeak

    def _open(self) -> Any:
        from phonemizer.backend import EspeakBackend

        return EspeakBackend(
            ENGLISH,
            preserve_punctuation=True,
            with_stress=True,
            language_switch="remove-flags",
            logger=self._log,
        )

    def _asian_reader(self, language: str) -> Callable[[str], str]:
        if language not in self._asian:
            self._asian[language] = _japanese() if language == "ja" else _chinese()
        return self._asian[language]


def divided(phonemes: str) -> list[str]:
    """The phonemes of each pass: of a long sentence, or of short ones that follow each other."""
    from kokoro_onnx.chunker import SENTENCE_MARKS, split_phonemes

    sentences = re.split(rf"(?<=[{re.escape(SENTENCE_MARKS)}])\s+", phonemes.strip())
    passes: list[str] = []
    for long, group in groupby(sentences, key=lambda one: len(one) > PHONEMES_PER_PASS):
        if long:
            passes += (part for sentence in group for part in _parts(sentence))
        else:
            passes += split_phonemes(" ".join(group), PHONEMES_PER_PASS)
    return passes


def _parts(sentence: str) -> list[str]:
    """The passes of a long sentence. They end with a clause; one is divided at a space only if it must be."""
    from kokoro_onnx.chunker import split_phonemes

    parts: list[str] = []
    for part in split_phonemes(sentence, PHONEMES_PER_SENTENCE):
        whole = f"{parts[-1]} {part}" if parts else ""
        if parts and pause(parts[-1]) == WORD_PAUSE and len(whole) <= LONGEST_PASS:
            parts[-1] = whole
        else:
            parts.append(part)
    return parts


def pause(phonemes: str) -> float:
    """Seconds of silence after a pass of these phonemes."""
    from kokoro_onnx.chunker import pause_after

    return pause_after(phonemes, SENTENCE_PAUSE, CLAUSE_PAUSE) or WORD_PAUSE


def _chinese() -> Callable[[str], str]:
    try:
        import jieba
        from misaki.zh import ZHG2P
    except ImportError as failure:
        raise import_failure(failure, "kokoro with Chinese and Japanese", "asian") from failure
    # Where it cannot keep its dictionary in a file, it tells so with a traceback.
    jieba.setLogLevel(logging.CRITICAL)
    reader = ZHG2P()
    return lambda text: str(reader(text)[0])


def _unload_chinese() -> None:
    """Frees the modules that were imported for Chinese: their dictionaries are in them, 57 MB of words and as
    much of how they sound.
    """
    for name in list(sys.modules):  # other threads import meanwhile
        if name.partition(".")[0] in CHINESE_MODULES:
            sys.modules.pop(name, None)
    logging.getLogger("jieba").handlers.clear()  # each import adds one
    gc.collect()  # functions and their module refer to each other


def _japanese() -> Callable[[str], str]:
    try:
        from misaki.ja import JAG2P
    except ImportError as failure:
        raise import_failure(failure, "kokoro with Chinese and Japanese", "asian") from failure
    reader = JAG2P(version="pyopenjtalk")

    def read(text: str) -> str:
        try:
            _, tokens = reader(text)
        except (ValueError, IndexError, KeyError) as wrong:
            raise EngineError("The Japanese text cannot be read.") from wrong
        return "".join((token.phonemes or "") + token.whitespace for token in tokens)

    return read
