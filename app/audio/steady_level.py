"""Checks whether sound keeps its level. Law: pure; it takes samples of any rate as they arrive."""

from __future__ import annotations

import numpy as np

from app.audio.live_decode import Samples16
from app.audio.speech_gate import LEVEL_RATIO, SILENT_POWER
from engines.types import SAMPLE_RATE, Samples

FRAMES_A_SECOND = 31.25
"""Frames a second: as many as the speech detector has."""


class SteadyLevel:
    """Compares the power of each frame with the mean power of the sound that was learned."""

    def __init__(self, rate: int) -> None:
        """`rate`: of the samples, in hertz."""
        self.frame = round(rate / FRAMES_A_SECOND)
        """Number of samples in a frame, for which the power is computed."""
        # Above `SAMPLE_RATE` a part of the power is noise in which no speech is, so that speech adds less.
        self._ratio = 1 + (LEVEL_RATIO - 1) * min(SAMPLE_RATE / rate, 1)
        self._power: float | None = None

    def learn(self, samples: Samples16) -> None:
        """Takes these samples as the steady sound from now on."""
        powers = self._powers(samples)
        self._power = float(powers.mean()) if len(powers) else None

    def forget(self) -> None:
        """Forgets the level: nothing counts as steady until the next `learn`."""
        self._power = None

    def holds(self, samples: Samples16) -> bool:
        """Whether all of these samples have the level that was learned."""
        if self._power is None or len(samples) < self.frame:
            return False
        low, high = self._power / self._ratio, self._power * self._ratio
        powers = self._powers(samples)
        return bool(powers.min() >= low and powers.max() <= high)

    def _powers(self, samples: Samples16) -> Samples:
        """The power of each frame. The last frame may overlap the one before it."""
        count = len(samples) // self.frame
        frames = samples[: count * self.frame].reshape(-1, self.frame)
        if count * self.frame < len(samples) and count:
            frames = np.concatenate([frames, samples[None, -self.frame :]])
        wide = frames.astype(np.float32)
        powers: Samples = np.maximum(np.einsum("ij,ij->i", wide, wide) / self.frame, SILENT_POWER)
        return powers
