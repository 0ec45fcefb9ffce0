"""A fake diarizer that needs no weights: voices are tones, and each pitch is a speaker."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from engines.errors import EngineError
from engines.types import SAMPLE_RATE, Diarization, DiarizeOptions, EngineOptions, Pcm, Samples, SpeakerTurn

FRAME = SAMPLE_RATE // 10
ALIKE = 50.0
"""Two tones whose pitches differ by less than this, in hertz, are one voice."""


class ToneDiarizer:
    """Meets the contract of diarizers, for sound that consists of silence and of tones above -40 dBFS."""

    span = hop = 2 * SAMPLE_RATE

    def __init__(self) -> None:
        self.fed = 0
        """Number of samples of all calls."""
        self.assembled: list[DiarizeOptions] = []
        self.gate = threading.Event()
        """`assemble` waits while this is not set."""
        self.gate.set()
        self.failure: EngineError | None = None

    def look(self, samples: Samples, start: float, *, end: bool) -> Samples:
        """The pitch of every frame; 0 for silence and for frames at the edge of a tone."""
        if self.failure:
            raise self.failure
        self.fed += len(samples)
        frames = [samples[at : at + FRAME] for at in range(0, len(samples) - FRAME + 1, FRAME)]
        loud = [min(np.abs(part).max() for part in np.split(frame, 10)) >= 0.01 for frame in frames]
        pitches = [pitch(frame) if hums else 0.0 for frame, hums in zip(frames, loud, strict=True)]
        return np.array(pitches, np.float32)

    def assemble(self, seen: Sequence[object], options: DiarizeOptions) -> Diarization:
        self.assembled.append(options)
        self.gate.wait(30)
        pitches: list[float] = []
        turns: list[SpeakerTurn] = []
        for number, hertz in enumerate(np.concatenate(cast("Sequence[Samples]", seen))):
            if not hertz:
                continue
            speaker = _known(pitches, float(hertz))
            start, end = number / 10, (number + 1) / 10
            if turns and turns[-1].speaker == speaker and start - turns[-1].end < 0.05:
                start = turns.pop().start
            turns.append(SpeakerTurn(start, end, speaker))
        return Diarization(tuple(turns), tuple(turns), tuple(_name(hertz, options) for hertz in pitches))

    def embed(self, sound: Pcm) -> Samples:
        return voice(pitch(sound.samples))

    def close(self) -> None:
        """Has nothing to free."""


def _name(hertz: float, options: DiarizeOptions) -> str | None:
    for known in options.known:
        if float(known.vector @ voice(hertz)) > 0.9:
            return known.name
    return None


def pitch(samples: Samples) -> float:
    """The frequency with the most energy, in hertz."""
    spectrum = np.abs(np.fft.rfft(samples))
    return float(spectrum.argmax() * SAMPLE_RATE / len(samples))


def voice(hertz: float) -> Samples:
    """A speaker vector of length 1. Vectors of tones whose pitches differ much are orthogonal."""
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
    """The entry point of this diarizer."""

    def __init__(self, engine: ToneDiarizer, missing: EngineError | None = None) -> None:
        self._engine = engine
        self._missing = missing

    def check(self) -> None:
        if self._missing:
            raise self._missing

    def load(self, folder: Path, options: EngineOptions) -> ToneDiarizer:
        return self._engine
