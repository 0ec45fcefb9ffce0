"""Remembers the loudness of each voice, measured from its speech so far.

Law: bounded, safe to use from several threads, and numbers only. An answer asks for its gain once, at its
first utterance, so that the loudness does not change within it.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Hashable

from app.audio.measure_loudness import LOUDNESS_GATE, loudness
from engines.types import Pcm

MOST_VOICES = 1000
"""The most voices that are remembered; the least recently used one is dropped."""
AVERAGED_SECONDS = 60.0
"""The mean of a voice covers at most so many seconds of speech; older speech counts less and less."""
LARGEST_GAIN = 20.0
"""The largest gain in decibels, up or down. A sound that is further from the target is not speech."""


class LoudnessBook:
    """The mean power of each voice, and the seconds that it was measured over."""

    def __init__(self) -> None:
        self._heard: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def gain(self, voice: Hashable, sound: Pcm, target: float) -> float:
        """The decibels that bring `voice` to `target` LUFS; `sound` is measured first."""
        self.note(voice, sound)
        with self._lock:
            power, _ = self._heard.get(voice, (0.0, 0.0))
        if not power:
            return 0.0
        return max(-LARGEST_GAIN, min(LARGEST_GAIN, target - 10 * math.log10(power)))

    def knows(self, voice: Hashable) -> bool:
        with self._lock:
            return voice in self._heard

    def seed(self, voice: Hashable, power: float, seconds: float) -> None:
        """Takes the measurement of another server, unless this server has measured the voice itself."""
        with self._lock:
            self._heard.setdefault(voice, (power, seconds))

    def measured(self, voice: Hashable) -> tuple[float, float]:
        """The mean power of a voice, and the seconds over which it was measured; zeros if it was not
        measured.
        """
        with self._lock:
            return self._heard.get(voice, (0.0, 0.0))

    def note(self, voice: Hashable, sound: Pcm) -> None:
        """Measures one more utterance."""
        measured = loudness(sound)
        if measured <= LOUDNESS_GATE:
            return
        with self._lock:
            power, seconds = self._heard.pop(voice, (0.0, 0.0))
            total = seconds + sound.seconds
            mean = (power * seconds + 10 ** (measured / 10) * sound.seconds) / total
            self._heard[voice] = (mean, min(total, AVERAGED_SECONDS))
            while len(self._heard) > MOST_VOICES:
                self._heard.popitem(last=False)
