"""A diarizer that needs no weights: voices are tones, and each pitch is a speaker."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from engines.errors import EngineError
from engines.types import SAMPLE_RATE, Diarization, DiarizeOptions, EngineOptions, Pcm, Samples, SpeakerTurn

FRAME = SAMPLE_RATE // 10
ALIKE = 50.0
"""Hertz within which two tones are one voice."""


class ToneDiarizer:
    """Meets the contract on sound made of tones above -40 dBFS and silence."""

    def __init__(self) -> None:
        self.fed = 0
        """Samples of all audio."""
        self.opened: list[DiarizeOptions] = []
        self.gate = threading.Event()
        """Closed: `flush` waits for it."""
        self.gate.set()
        self.failure: EngineError | None = None

    def open(self, options: DiarizeOptions) -> ToneStream:
        self.opened.append(options)
        return ToneStream(self, options)

    def embed(self, sound: Pcm) -> Samples:
        return voice(pitch(sound.samples))

    def close(self) -> None:
        """Nothing is held."""


class ToneStream:
    def __init__(self, engine: ToneDiarizer, options: DiarizeOptions) -> None:
        self._engine = engine
        self._options = options
        self._samples: Samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> None:
        if self._engine.failure:
            raise self._engine.failure
        self._engine.fed += len(samples)
        self._samples = np.concatenate([self._samples, samples])

    def flush(self) -> Diarization:
        self._engine.gate.wait(30)
        pitches: list[float] = []
        turns: list[SpeakerTurn] = []
        for number in range(len(self._samples) // FRAME):
            frame = self._samples[number * FRAME : (number + 1) * FRAME]
            if min(np.abs(part).max() for part in np.split(frame, 10)) < 0.01:
                continue  # silence, or the edge of a tone, which has no pitch
            speaker = _known(pitches, pitch(frame))
            start, end = number / 10, (number + 1) / 10
            if turns and turns[-1].speaker == speaker and start - turns[-1].end < 0.05:
                start = turns.pop().start
            turns.append(SpeakerTurn(start, end, speaker))
        return Diarization(tuple(turns), tuple(turns), tuple(self._name(hertz) for hertz in pitches))

    def _name(self, hertz: float) -> str | None:
        for known in self._options.known:
            if float(known.vector @ voice(hertz)) > 0.9:
                return known.name
        return None


def pitch(samples: Samples) -> float:
    """The loudest frequency in hertz."""
    spectrum = np.abs(np.fft.rfft(samples))
    return float(spectrum.argmax() * SAMPLE_RATE / len(samples))


def voice(hertz: float) -> Samples:
    """A unit vector; tones far apart are orthogonal."""
    vector = np.zeros(200, np.float32)
    vector[min(round(hertz / ALIKE), 199)] = 1.0
    return vector


def _known(pitches: list[float], hertz: float) -> int:
    for number, other in enumerate(pitches):
        if abs(other - hertz) < ALIKE:
            return number
    pitches.append(hertz)
    return len(pitches) - 1


class ToneDiarization:
    """What an entry point would name."""

    def __init__(self, engine: ToneDiarizer, missing: EngineError | None = None) -> None:
        self._engine = engine
        self._missing = missing

    def check(self) -> None:
        if self._missing:
            raise self._missing

    def load(self, folder: Path, options: EngineOptions) -> ToneDiarizer:
        return self._engine
