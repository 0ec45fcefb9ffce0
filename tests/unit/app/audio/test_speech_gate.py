"""The network rests in silence and in steady noise, and no speech that it would find is
lost because of that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from app.audio.live_decode import FULL_SCALE, Samples16
from app.audio.speech_gate import CALM_FRAMES, SpeechGate
from engines import catalog
from engines.contracts import SpeechDetector
from engines.types import Samples
from tests.conftest import JFK
from tests.support.sound import decode

FRAME = 512


@dataclass
class Counted:
    """A detector that counts the frames that it gets; `chance` is the probability that it returns."""

    frame: int = FRAME
    chance: float = 0.02
    frames: int = 0
    sound: list[Samples] = field(default_factory=list)

    def feed(self, samples: Samples) -> Samples:
        self.frames += len(samples) // FRAME
        self.sound.append(samples)
        return np.full(len(samples) // FRAME, self.chance, np.float32)

    def flush(self) -> Samples:
        return np.zeros(0, np.float32)


def noise(seconds: float, level: float, seed: int = 1) -> Samples16:
    """White noise. `level`: its root mean square, in 16-bit samples."""
    made = np.random.default_rng(seed).normal(0, level, int(seconds * 16_000))
    return np.clip(made, -32_768, 32_767).astype(np.int16)


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    return catalog.speech_detector("silero")()


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.0, 0.5, 3.0, 16.0, 300.0, 3000.0])
def test_an_hour_of_steady_noise_takes_a_second_of_the_network(level: float) -> None:
    stream = Counted()
    gate = SpeechGate(stream)
    for _ in range(60):
        gate.feed(noise(60, level))
    assert gate.resting
    assert stream.frames == CALM_FRAMES


def test_while_it_rests_the_probability_is_that_of_the_calm() -> None:
    gate = SpeechGate(Counted(chance=0.03))
    gate.feed(noise(2, 16))
    assert np.allclose(gate.feed(noise(2, 16, seed=2)), 0.03)


@pytest.mark.parametrize("factor", [0.3, 0.7, 1.5, 4.0])
def test_another_level_wakes_it_and_it_hears_the_last_half_second_again(factor: float) -> None:
    stream = Counted()
    gate = SpeechGate(stream)
    gate.feed(noise(3, 100)[: 93 * FRAME])
    before = stream.frames
    changed = noise(0.1, 100 * factor)[: 3 * FRAME]
    gate.feed(changed)
    assert not gate.resting
    assert stream.frames == before + 16 + 3
    assert np.array_equal(stream.sound[-1] * FULL_SCALE, changed)


def test_it_does_not_rest_while_the_level_changes_or_somebody_may_speak() -> None:
    uneven = np.concatenate([noise(0.1, 100 if number % 2 else 300, number) for number in range(100)])
    for stream, sound in ((Counted(), uneven), (Counted(chance=0.2), noise(10, 100))):
        gate = SpeechGate(stream)
        gate.feed(sound)
        assert not gate.resting
        assert stream.frames == len(sound) // FRAME


@pytest.mark.parametrize("piece", [160, 512, 1600, 4000])
def test_the_result_does_not_depend_on_the_pieces(detector: SpeechDetector, piece: int) -> None:
    speech = (decode(JFK.read_bytes())[:48_000] * FULL_SCALE).astype(np.int16)
    sound = np.concatenate([noise(3, 20), speech, noise(3, 20, 2), np.zeros(32_000, np.int16)])
    sound = sound[: len(sound) // FRAME * FRAME]
    whole = SpeechGate(detector.open()).feed(sound)
    gate = SpeechGate(detector.open())
    parts = [gate.feed(sound[at : at + piece]) for at in range(0, len(sound), piece)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-4)


@pytest.mark.parametrize("ratio", [0.05, 1.0, 2.0])
@pytest.mark.parametrize("quiet", [1.0, 0.01, 0.003])
def test_no_speech_is_lost(detector: SpeechDetector, ratio: float, quiet: float) -> None:
    """No speech is lost in noise. `quiet`: factor on the speech. `ratio`: level of the noise, as a share
    of the speech's level.
    """
    speech = decode(JFK.read_bytes())[:64_000] * quiet * FULL_SCALE
    level = float(np.sqrt((speech**2).mean())) * ratio
    parts: list[Any] = []
    for number in range(2):
        parts += [noise(4 + number, level, number), speech + noise(4, level, number + 9)]
    sound = np.clip(np.concatenate(parts), -32_768, 32_767).astype(np.int16)
    sound = sound[: len(sound) // FRAME * FRAME]
    plain = detector.open().feed(sound.astype(np.float32) / FULL_SCALE)
    found = SpeechGate(detector.open()).feed(sound)
    spoken = np.flatnonzero(plain >= 0.5)
    missed = np.flatnonzero((plain >= 0.5) & (found < 0.35))
    assert len(spoken) >= 10
    assert len(missed) <= max(2, 0.02 * len(spoken)), missed  # the network's state differs a little
