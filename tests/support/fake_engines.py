"""Fake engines that meet the real contracts and need no weights."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.runtime.threads_placement import WARM_UP, WARM_UP_TEXT
from engines.contracts import LoadTranscriber
from engines.errors import EngineError
from engines.types import (
    EngineOptions,
    LanguageGuess,
    Pcm,
    Segment,
    Token,
    TranscribeOptions,
    Utterance,
    Voice,
    Window,
    WindowResult,
    Word,
)
from engines.work import LengthClasses


class EchoTranscriber:
    """Says one word for each second of a window, namely the number of that second; counts
    what it was given.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        """`seconds`: how long a batch takes."""
        self.seconds = seconds
        self.batches: list[list[Window]] = []
        self.gate = threading.Event()
        """Batches wait while this is not set."""
        self.gate.set()
        self.failure: Exception | None = None
        self.bad_prompt = ""
        self.closed = False
        self.calls = 1
        self.lengths = LengthClasses()

    def prepare(self, window: Window) -> Window:
        return window

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


class ToneSynthesizer:
    """Gives a tone that lasts as long as reading the text would, with a pitch for each voice; counts what it
    was given.
    """

    def __init__(self) -> None:
        self.utterances: list[Utterance] = []
        self.gate = threading.Event()
        """Utterances wait while this is not set."""
        self.gate.set()
        self.failure: Exception | None = None
        self.closed = False

    def synthesize(self, utterance: Utterance) -> Pcm:
        if utterance.text == WARM_UP_TEXT:
            return Pcm(np.zeros(0, np.float32), 24_000)
        self.utterances.append(utterance)
        self.gate.wait(30)
        if self.failure:
            raise self.failure
        voice = next(v for v in TONES if v.name == utterance.voice)
        seconds = 0.06 * sum(sign.isalnum() for sign in utterance.text)
        times = np.arange(int(seconds * voice.rate)) / voice.rate
        pitch, volume = (220, 0.5) if voice.gender == "male" else (440, 0.05)
        quiet = np.zeros(int(0.3 * voice.rate) if len(times) else 0)
        hum = volume * np.sin(2 * np.pi * pitch * times)
        return Pcm(np.concatenate([quiet, hum, quiet]).astype(np.float32), voice.rate)

    def close(self) -> None:
        self.closed = True


class SlowlySpeaking(ToneSynthesizer):
    """Takes a second and a half for each utterance with the word `slowly`."""

    WORD = "slowly"

    def synthesize(self, utterance: Utterance) -> Pcm:
        made = super().synthesize(utterance)
        time.sleep(1.5 * (self.WORD in utterance.text))
        return made


TONES = (
    Voice("low", "en-US", "male", 22_050),
    Voice("high", "en-US", "female", 24_000),
    Voice("alto", "es", "female", 24_000),
)


class ToneEngine:
    """A speech engine whose models are folders with a file `tone.onnx`."""

    COST = 0.01
    QUALITY = 0
    HONOURS: frozenset[str] = frozenset()

    def __init__(self, synthesizer: ToneSynthesizer) -> None:
        self._synthesizer = synthesizer

    def voices(self, folder: Path) -> tuple[Voice, ...]:
        return TONES if (folder / "tone.onnx").exists() else ()

    def load(self, folder: Path, options: EngineOptions) -> ToneSynthesizer:
        return self._synthesizer


def engines_of(engine: EchoTranscriber) -> LoadTranscriber:
    """A loader that returns `engine`, whatever the weights are."""

    def load(folder: Path, options: EngineOptions) -> EchoTranscriber:
        return engine

    return load
