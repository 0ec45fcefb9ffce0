"""Transcripts written by hand, for tests of the output formats."""

from __future__ import annotations

from app.domain import Transcript
from engines.types import LanguageGuess, Segment, Token, Word


def spoken(text: str, start: float, per_word: float = 0.4, first_token: int = 100) -> Segment:
    """A segment whose words have equal lengths and no pauses between them."""
    words, tokens, at = [], [], start
    for index, piece in enumerate(text.split(" ")):
        words.append(Word(f" {piece}", round(at, 2), round(at + per_word, 2), 0.9))
        tokens.append(Token(first_token + index, f" {piece}".encode(), -0.25))
        at += per_word
    return Segment(
        start=start,
        end=round(at, 2),
        text=f" {text}",
        tokens=tuple(tokens),
        words=tuple(words),
        seek=round(start * 100),
        avg_logprob=-0.25,
        compression_ratio=1.25,
        no_speech_prob=0.0625,
    )


SPEECH = Transcript(
    task="transcribe",
    language=LanguageGuess("en", 0.98),
    duration=14.3,
    segments=(
        spoken("The boats come in at dawn, and the market opens its doors.", 0.5),
        spoken("Nobody speaks; “nobody” has to. A <tag> & an arrow --> stay text.", 7.0),
    ),
    prompt_tokens=3,
)
SILENCE = Transcript("transcribe", None, 3.0, ())
TRANSLATION = Transcript("translate", LanguageGuess("de", 0.9), 14.3, SPEECH.segments)
