"""A transcriber that is a real implementation of the contract and needs no weights."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from app.runtime.runner import WARM_UP
from engines.contracts import LoadTranscriber
from engines.errors import EngineError
from engines.types import (
    Capabilities,
    EngineOptions,
    LanguageGuess,
    Segment,
    Token,
    TranscribeOptions,
    Window,
    WindowResult,
    Word,
)


class EchoTranscriber:
    """Says one word a second of window, numbered by the second it stands at; counts what it was given."""

    def __init__(self, seconds: float = 0.0) -> None:
        """`seconds`: how long a batch takes."""
        self.seconds = seconds
        self.batches: list[list[Window]] = []
        self.gate = threading.Event()
        """Closed: batches wait for it."""
        self.gate.set()
        self.failure: EngineError | None = None
        self.bad_prompt = ""
        self.closed = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(languages=("en",))

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        if options == WARM_UP:
            return [WindowResult((), _language(window)) for window in windows]
        self.batches.append(list(windows))
        self.gate.wait(30)
        time.sleep(self.seconds)
        if self.failure:
            raise self.failure
        if self.bad_prompt and self.bad_prompt in [window.prompt for window in windows]:
            raise EngineError("this prompt")
        return [WindowResult((_segment(window, options),), _language(window)) for window in windows]

    def close(self) -> None:
        self.closed = True


def _language(window: Window) -> LanguageGuess:
    return LanguageGuess(window.language or "en", 1.0 if window.language else 0.9)


def _segment(window: Window, options: TranscribeOptions) -> Segment:
    count = max(1, round(window.pcm.seconds))
    step = window.pcm.seconds / count
    starts = [window.start + i * step for i in range(count)]
    words = [Word(f" word{round(start)}", start, start + step / 2, 0.9) for start in starts]
    return Segment(
        start=window.start,
        end=window.end,
        text="".join(word.text for word in words),
        tokens=tuple(
            Token(i, word.text.encode(), -0.1 if options.logprobs else None) for i, word in enumerate(words)
        ),
        words=tuple(words) if options.words else None,
        seek=round(window.start * 100),
        avg_logprob=-0.1,
        compression_ratio=1.2,
        no_speech_prob=0.01,
    )


def engines_of(engine: EchoTranscriber) -> LoadTranscriber:
    """A loader that gives `engine`, whatever the weights."""

    def load(folder: Path, options: EngineOptions) -> EchoTranscriber:
        return engine

    return load
