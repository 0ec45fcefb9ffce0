"""Sound that keeps its level, at any sampling rate: noise nearly always keeps it, and possible speech does
not.
"""

from __future__ import annotations

import numpy as np
import pytest

from app.audio.live_decode import Samples16
from app.audio.steady_level import SteadyLevel

RATES = (8_000, 16_000, 24_000)


def noise(rate: int, level: float, seconds: float = 0.4, seed: int = 1) -> Samples16:
    return np.random.default_rng(seed).normal(0, level, round(seconds * rate)).astype(np.int16)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("level", [0, 0.4, 16, 400])
def test_noise_keeps_its_level(rate: int, level: float) -> None:
    steady = SteadyLevel(rate)
    assert not steady.holds(noise(rate, level)), "nothing is known yet"
    steady.learn(noise(rate, level))
    assert sum(steady.holds(noise(rate, level, seed=seed)) for seed in range(2, 22)) >= 15
    steady.forget()
    assert not steady.holds(noise(rate, level))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("at", [0.0, 0.2, 0.39])
def test_a_change_within_a_frame_is_noticed_wherever_it_is(rate: int, at: float) -> None:
    steady = SteadyLevel(rate)
    steady.learn(noise(rate, 16))
    changed = noise(rate, 16, seed=2)
    start = round(at * rate)
    changed[start : start + round(0.01 * rate)] += 60
    assert not steady.holds(changed)


@pytest.mark.parametrize("factor", [0.0, 0.7, 1.3])
def test_a_louder_and_a_quieter_room_are_changes(factor: float) -> None:
    steady = SteadyLevel(24_000)
    steady.learn(noise(24_000, 400))
    assert not steady.holds(noise(24_000, 400 * factor, seed=2))


def test_less_than_a_frame_says_nothing() -> None:
    steady = SteadyLevel(16_000)
    steady.learn(noise(16_000, 0))
    assert not steady.holds(np.zeros(100, np.int16))
