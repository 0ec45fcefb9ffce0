"""A speech detector for open microphones: its network rests while nothing in the sound changes.

The network takes about 60 microseconds for each frame, whether it runs on one frame or on a hundred, so
hundreds of silent streams are affordable only if it does not run for them. Law: it rests only after a second
in which it found no speech and the level was steady; any change of the level wakes it, and it then hears the
last half second again. The result does not depend on the size of the pieces.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from app.audio.live_decode import FULL_SCALE, Samples16
from engines.contracts import SpeechStream
from engines.types import Samples

CALM_FRAMES = 32
"""Frames without speech, and of a steady level, after which the network rests (about a second)."""
CALM_CHANCE = 0.1
"""Probability of speech below which a frame is without speech."""
LEVEL_RATIO = 1.3
"""The level is steady while the power of each frame is within this ratio of the mean (1.1 dB). Speech so far
below the noise that it never adds a third of the noise's power is not detected by the network either.
"""
SILENT_POWER = 1.0
"""Mean square of 16-bit samples (-90 dBFS) below which all frames count as equally quiet."""
REPLAYED_FRAMES = 16
"""When the network wakes, it processes so many frames before that moment again."""


@dataclass(slots=True)
class _Calm:
    """The last frames in a row in which nobody spoke."""

    powers: list[float] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)

    def add(self, powers: list[float], chances: list[float]) -> None:
        for power, chance in zip(powers, chances, strict=True):
            if chance >= CALM_CHANCE:
                self.powers, self.chances = [], []
            else:
                self.powers.append(power)
                self.chances.append(chance)

    @property
    def missing(self) -> int:
        """Number of further calm frames until the network may rest."""
        return CALM_FRAMES - len(self.powers)

    @property
    def steady(self) -> bool:
        mean = sum(self.powers) / len(self.powers)
        return max(self.powers) <= mean * LEVEL_RATIO and min(self.powers) >= mean / LEVEL_RATIO

    def forget_oldest(self) -> None:
        del self.powers[: CALM_FRAMES // 4], self.chances[: CALM_FRAMES // 4]


class SpeechGate:
    """Gives the probabilities of speech for one stream of 16-bit samples."""

    def __init__(self, stream: SpeechStream) -> None:
        self._stream = stream
        self.frame = stream.frame
        """Samples that one probability covers."""
        self._rest: Samples16 = np.zeros(0, np.int16)
        self._calm = _Calm()
        self._recent: deque[Samples16] = deque(maxlen=REPLAYED_FRAMES)
        self._power: float | None = None  # mean power of the calm frames while the network rests
        self._chance = 0.0

    @property
    def resting(self) -> bool:
        return self._power is not None

    def feed(self, samples: Samples16) -> Samples:
        """The probability of speech (0..1) of each complete frame; the rest waits for the next call."""
        joined = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(joined) - len(joined) % self.frame
        self._rest = joined[whole:]
        frames = joined[:whole].reshape(-1, self.frame)
        wide = frames.astype(np.float32)
        powers = np.maximum(np.einsum("ij,ij->i", wide, wide) / self.frame, SILENT_POWER)
        chances = np.zeros(len(frames), np.float32)
        at = 0
        while at < len(frames):
            if self._power is None:
                until = min(at + self._calm.missing, len(frames))
                chances[at:until] = self._listen(frames[at:until], powers[at:until])
            else:
                until = at + _steady(powers[at:], self._power)
                chances[at:until] = self._chance
                if until < len(frames):
                    self._wake(frames[:until])
            at = until
        self._recent.extend(frames[-REPLAYED_FRAMES:])
        return chances

    def _listen(self, frames: Samples16, powers: Samples) -> Samples:
        """Runs the network on frames. After that it may rest."""
        chances = self._stream.feed(frames.reshape(-1).astype(np.float32) / FULL_SCALE)
        self._calm.add(powers.tolist(), chances.tolist())
        if not self._calm.missing:
            if self._calm.steady:
                self._power = sum(self._calm.powers) / CALM_FRAMES
                self._chance = sum(self._calm.chances) / CALM_FRAMES
                self._calm = _Calm()
            else:
                self._calm.forget_oldest()
        return chances

    def _wake(self, before: Samples16) -> None:
        """Lets the network process the last half second again. `before`: the frames of this call that were
        skipped.
        """
        self._power = None
        heard = np.concatenate([*self._recent, *before])[-REPLAYED_FRAMES * self.frame :]
        self._stream.feed(heard.astype(np.float32) / FULL_SCALE)


def _steady(powers: Samples, mean: float) -> int:
    """Number of frames until the level changes."""
    changed = (powers > mean * LEVEL_RATIO) | (powers < mean / LEVEL_RATIO)
    return int(changed.argmax()) if changed.any() else len(powers)
