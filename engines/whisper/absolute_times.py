"""Converts phrases of a round to segments with absolute times. Law: values in, values out; no model is run
here.
"""

from __future__ import annotations

from engines.types import Segment
from engines.whisper.decoding_quality import Decoded
from engines.whisper.rows import Row
from engines.whisper.timestamp_phrases import Phrase
from engines.whisper.tokens import WhisperTokens
from engines.whisper.word_times import Timed, fit_words
from engines.work import FRAMES_PER_SECOND


def keep(
    row: Row, decoded: Decoded, phrases: list[Phrase], timed: list[Timed] | None, tokens: WhisperTokens
) -> None:
    """Adds the phrases of a round to the row. `timed`: the words of the round; None if no word times are
    needed.
    """
    fitted = fit_words(phrases, timed, tokens) if timed is not None else None
    for index, phrase in enumerate(phrases):
        words = fitted[index] if fitted is not None else None
        row.said += tokens.text_only(phrase.tokens)
        row.segments.append(_segment(row, decoded, phrase, words, tokens))


def _segment(
    row: Row, decoded: Decoded, phrase: Phrase, words: list[Timed] | None, tokens: WhisperTokens
) -> Segment:
    offset = row.window.start + phrase.seek / FRAMES_PER_SECOND
    low, high = row.window.start, row.window.end
    times = [word.word(offset, low, high) for word in words] if words is not None else None
    start = times[0].start if times else _clamp(offset + phrase.start, low, high)
    end = times[-1].end if times else _clamp(offset + phrase.end, low, high)
    logprobs = decoded.logprobs[phrase.first : phrase.first + len(phrase.tokens)]
    return Segment(
        start=start,
        end=max(start, end),
        text=tokens.decode(phrase.tokens),
        tokens=tokens.tokens(phrase.tokens, logprobs),
        words=tuple(times) if times is not None else None,
        seek=round(row.window.start * FRAMES_PER_SECOND) + phrase.seek,
        temperature=decoded.temperature,
        avg_logprob=decoded.avg_logprob,
        compression_ratio=decoded.compression_ratio,
        no_speech_prob=decoded.no_speech_prob,
    )


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
