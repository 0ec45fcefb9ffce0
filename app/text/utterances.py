"""Divides text of any length into utterances: a short one first, so that the sound begins soon, then longer
ones.

Law: two verbs, feed and flush. The utterances do not depend on how the text is chunked: a line is divided
only when it is complete, or so long that its start cannot change any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.text.language import text_language
from app.text.speakable import cleaned, spoken
from engines.writing_scripts import primary_subtag

LONGEST_LINE = 5000
"""Characters after which a line that has not ended yet is divided."""
CHARACTER_BUDGETS = (40, 80, 140, 220)
"""The most characters of the first, second, ... utterance; the last number holds for all further ones."""
PAUSES = {"paragraph": 0.55, "sentence": 0.35, "clause": 0.14, "none": 0.05}
"""Seconds of silence after an utterance, by what it ends: a clause, a sentence, a paragraph."""
SHORT_WORDS = 12
"""Characters of short words that may be left for the next utterance; in some scripts all words look short."""
_LONG_WORD = re.compile(r"\w{4,}\s")
"""Before a pause, a word of three letters or fewer sounds wrong: it is mostly an article or a preposition."""
_CLAUSE = re.compile(r"[,;:、，；：—–]['\"”’)\]]*(?:\s|$)|[、，；：]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One utterance: what an engine speaks in one call."""

    text: str
    language: str
    """BCP 47 tag of the language."""
    pause: float
    """Seconds of silence after the utterance."""


class Utterances:
    """Divides one text. Call `feed` with each chunk of it, then `flush`."""

    def __init__(self, language: str) -> None:
        """`language`: the voice's BCP 47 tag."""
        self._language = language
        self._rest = ""
        self._count = 0
        self._fresh = True

    def feed(self, text: str) -> Iterator[Piece]:
        """The utterances of the lines that are complete."""
        self._rest += text
        while (end := _line_end(self._rest)) is not None:
            line, self._rest = self._rest[:end], self._rest[end:]
            yield from self._line(line)

    def flush(self) -> Iterator[Piece]:
        """The utterances of the text that is left."""
        line, self._rest = self._rest, ""
        yield from self._line(line)

    def _line(self, line: str) -> Iterator[Piece]:
        text = " ".join(cleaned(line).split())
        if not any(sign.isalnum() or ord(sign) > 0x2000 for sign in text):
            return
        language = text_language(text, self._language)
        waiting = ""
        for sentence in _sentences(text, language):
            words = spoken(sentence, language)
            joined = f"{waiting} {words}".strip()
            if waiting and len(joined) > self._budget:
                yield from self._cut(waiting, language, "sentence")
                joined = words
            waiting = joined
            if len(waiting) > self._budget:
                yield from self._cut(waiting, language, "sentence")
                waiting = ""
        if waiting:
            yield from self._cut(waiting, language, "paragraph")

    @property
    def _budget(self) -> int:
        return CHARACTER_BUDGETS[min(self._count, len(CHARACTER_BUDGETS) - 1)]

    def _cut(self, text: str, language: str, end: str) -> Iterator[Piece]:
        """Utterances within the budget, divided at ends of clauses, else between words."""
        while len(text) > self._budget * 1.5:
            at = _best_cut(text, self._budget)
            part, text = text[:at].strip(), text[at:].strip()
            if part:
                yield self._piece(part, language, "clause" if _CLAUSE.search(part[-3:]) else "none")
        if text:
            yield self._piece(text, language, end)

    def _piece(self, text: str, language: str, end: str) -> Piece:
        self._count += 1
        return Piece(text, language, PAUSES[end])


def _line_end(text: str) -> int | None:
    newline = text.find("\n")
    if 0 <= newline < LONGEST_LINE:
        return newline + 1
    if len(text) <= LONGEST_LINE:
        return None
    return text.rfind(" ", 0, LONGEST_LINE) + 1 or LONGEST_LINE


def _sentences(text: str, language: str) -> list[str]:
    import sentencex

    return [sentence for sentence in sentencex.segment(primary_subtag(language), text) if sentence.strip()]


def _best_cut(text: str, budget: int) -> int:
    """The index at which to divide: after the last clause that fits the budget and is long enough; else at a
    space, after a long word if there is one.
    """
    limit = int(budget * 1.5)
    ends = [m.end() for m in _CLAUSE.finditer(text, 0, limit) if m.end() >= budget // 3]
    if near := [end for end in ends if end <= budget] or ends[:1]:
        return near[-1]
    last = text.rfind(" ", budget // 3, budget) + 1
    words = [m.end() for m in _LONG_WORD.finditer(text, budget // 3, budget)]
    if words and words[-1] >= last - SHORT_WORDS:
        return words[-1]
    return last or text.find(" ", budget, limit) + 1 or limit
