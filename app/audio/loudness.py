"""How loud each voice is, learnt from what it has said.

Law: values only; the gain of an answer is settled by its first utterance and stays, so nothing pumps.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Hashable

from app.audio.voicing import UNHEARD, loudness
from engines.types import Pcm

KEPT = 1000
"""Voices that are remembered."""
MEMORY = 60.0
"""Seconds of speech after which a voice's loudness hardly moves."""
LARGEST = 20.0
"""Decibels of gain at most; what is further off is not speech."""


class LoudnessBook:
    """Power and seconds heard of each voice. Safe to use from threads."""

    def __init__(self) -> None:
        self._heard: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def gain(self, voice: Hashable, sound: Pcm, target: float) -> float:
        """Decibels that bring `voice` to `target` LUFS, now that it has said `sound`."""
        self.note(voice, sound)
        with self._lock:
            power, _ = self._heard.get(voice, (0.0, 0.0))
        if not power:
            return 0.0
        return max(-LARGEST, min(LARGEST, target - 10 * math.log10(power)))

    def note(self, voice: Hashable, sound: Pcm) -> None:
        """Hears one more utterance."""
        measured = loudness(sound)
        if measured <= UNHEARD:
            return
        with self._lock:
            power, seconds = self._heard.pop(voice, (0.0, 0.0))
            total = seconds + sound.seconds
            mean = (power * seconds + 10 ** (measured / 10) * sound.seconds) / total
            self._heard[voice] = (mean, min(total, MEMORY))
            while len(self._heard) > KEPT:
                self._heard.popitem(last=False)
