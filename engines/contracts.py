"""What the app may ask of an engine.

Law: protocols only; each fits on one screen and every engine of its kind passes the same test suite
(`tests/contract`). All calls block and are made from worker threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from engines.types import (
    Capabilities,
    EngineOptions,
    Samples,
    TranscribeOptions,
    Window,
    WindowResult,
)


class Transcriber(Protocol):
    """Speech to text, a batch of windows at a time."""

    @property
    def capabilities(self) -> Capabilities: ...

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        """One result for each window, in order; each window has its own prompt, language and task.

        Raises `EngineError`; a failure concerns the whole batch.
        """
        ...

    def close(self) -> None:
        """Gives the memory back; the object is not used again."""
        ...


class LoadTranscriber(Protocol):
    """What an entry point of the group `antiphon.transcribers` names."""

    def __call__(self, folder: Path, options: EngineOptions) -> Transcriber:
        """Loads the weights in `folder`. Raises `EngineMissing` or `WeightsBroken`."""
        ...


class SpeechStream(Protocol):
    """One pass over one audio; keeps the detector's state between calls."""

    frame: int
    """Samples that one probability covers."""

    def feed(self, samples: Samples) -> Samples:
        """The probability of speech (0..1) of each whole frame; the rest waits for the next call."""
        ...

    def flush(self) -> Samples:
        """The probability of the last, padded frame, if samples are waiting."""
        ...


class SpeechDetector(Protocol):
    """Finds speech in sound of `SAMPLE_RATE` hertz."""

    def open(self) -> SpeechStream: ...


class LoadSpeechDetector(Protocol):
    """What an entry point of the group `antiphon.speech_detectors` names."""

    def __call__(self) -> SpeechDetector:
        """Raises `EngineMissing`."""
        ...
