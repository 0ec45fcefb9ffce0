"""Which words of growing audio are final: those on which two transcriptions in a row agree.

Law: pure. Words are compared without case and punctuation (LocalAgreement-2: Macháček, Dabre and Bojar, 2023,
"Turning Whisper into Real-Time Transcription System"). The last word of a transcription is never sure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from app.domain.live import LiveWord
from engines.types import Segment, Token

WITHOUT_SPACES = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages whose writing does not separate words."""
_SPACED_WORD = re.compile(r"\s*\S+(?:\s+$)?")


def folded(text: str) -> str:
    """A word without case and punctuation, so that two transcriptions of it can be compared."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in plain if sign.isalnum()) or plain.strip()


def agreed(before: Sequence[str], now: Sequence[str]) -> int:
    """Number of words of `now` that are final, given the previous transcription (`before`) from the same word
    on.
    """
    count = 0
    for old, new in zip(before, now, strict=False):
        if folded(old) != folded(new):
            break
        count += 1
    return min(count, max(len(now) - 1, 0))


def continuation(sure: Sequence[str], now: Sequence[str]) -> int:
    """Number of words at the beginning of `now` that repeat final words; the rest is new.

    It is the beginning of `now` with the least edit distance to `sure`. If several have that distance, those
    that end with the same word as `sure` come first, then those of about as many words.
    """
    words = [folded(text) for text in now]
    row = list(range(len(words) + 1))
    for number, text in enumerate(sure, 1):
        word, last = folded(text), row
        row = [number]
        for index, other in enumerate(words, 1):
            row.append(min(last[index] + 1, row[-1] + 1, last[index - 1] + (word != other)))
    last_sure = folded(sure[-1]) if sure else ""
    ends = ["", *words]
    return min(range(len(row)), key=lambda size: (row[size], ends[size] != last_sure, abs(size - len(sure))))


def words_of(segments: Sequence[Segment]) -> list[LiveWord]:
    """The words of a transcription with their tokens. If a segment has no word times, it is split at spaces,
    and the time of each word follows from its length.
    """
    return [word for segment in segments for word in _words(segment)]


def _words(segment: Segment) -> list[LiveWord]:
    tokens = [token for token in segment.tokens if token.data]
    if segment.words is None:
        return _estimated(segment, tokens)
    if not segment.words or "".join(word.text for word in segment.words) != segment.text:
        return [LiveWord(segment.text, segment.end, tuple(tokens))] if segment.text.strip() else []
    return [LiveWord(word.text, word.end, _take(tokens, len(word.text.encode()))) for word in segment.words]


def _estimated(segment: Segment, tokens: list[Token]) -> list[LiveWord]:
    step = (segment.end - segment.start) / max(len(segment.text), 1)
    return [
        LiveWord(match[0], segment.start + step * match.end(), _take(tokens, len(match[0].encode())))
        for match in _SPACED_WORD.finditer(segment.text)
    ]


def retimed(words: Sequence[LiveWord], again: Sequence[LiveWord]) -> list[LiveWord]:
    """`words` with the times from a later transcription of the same words, matched from the end."""
    count = min(len(words), len(again))
    kept, late = words[: len(words) - count], words[len(words) - count :]
    pairs = zip(late, again[len(again) - count :], strict=True)
    return [*kept, *(replace(word, end=other.end) for word, other in pairs)]


def _take(tokens: list[Token], size: int) -> tuple[Token, ...]:
    """Removes from the list the first tokens that together have `size` bytes, and returns them."""
    taken: list[Token] = []
    while tokens and sum(len(token.data) for token in taken) < size:
        taken.append(tokens.pop(0))
    return tuple(taken)


def unspaced(word: LiveWord) -> LiveWord:
    """The word without its leading space, in text and tokens, because an item must not begin with a space."""
    cut = len(word.text) - len(word.text.lstrip())
    tokens = list(word.tokens)
    while cut and tokens:
        data = tokens[0].data.lstrip()
        lost = len(tokens[0].data) - len(data)
        if not lost:
            break
        tokens[0] = Token(tokens[0].id, data, tokens[0].logprob)
        if data:
            break
        tokens.pop(0)
    return replace(word, text=word.text.lstrip(), tokens=tuple(tokens))
