"""The results of two hours of audio are joined in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from engines.speakers.engine import SpeakersDiarizer
from engines.speakers.windows import AT_ONCE, FoundSpeakers
from engines.types import DiarizeOptions

WINDOWS = 2880
"""Number of windows in two hours."""
FRAMES, NUMBERS, LOCAL = 589, 192, 4
"""As in the real networks: frames of a window and numbers of a vector; and local speakers, more than most
windows have.
"""


def looks(people: int) -> list[FoundSpeakers]:
    """Every window hears one to four people, each for a second or two."""
    chance = np.random.default_rng(1)
    voices = unit(chance.normal(size=(people, NUMBERS)))
    found = []
    for first in range(0, WINDOWS, AT_ONCE):
        active = np.zeros((AT_ONCE, FRAMES, LOCAL), np.bool_)
        vectors = np.full((AT_ONCE, LOCAL, NUMBERS), np.nan, np.float32)
        for window in range(AT_ONCE):
            talking = chance.choice(people, chance.integers(1, LOCAL + 1), replace=False)
            for column, voice in enumerate(talking):
                begin = chance.integers(0, FRAMES - 150)
                active[window, begin : begin + chance.integers(40, 150), column] = True
                vectors[window, column] = unit(voices[voice] + chance.normal(0, 0.04, NUMBERS))
        found.append(FoundSpeakers((first + AT_ONCE) * 2.5 + 7.5, active, vectors))
    return found


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


@pytest.mark.slow
def test_two_hours_of_twenty_people_take_less_than_100_megabytes() -> None:
    seen = looks(20)
    engine = SpeakersDiarizer(None, None)
    engine.assemble(seen[:2], DiarizeOptions())  # imports SciPy before memory is measured
    assert sum(part.active.nbytes + part.vectors.nbytes for part in seen) < 20e6
    tracemalloc.start()
    try:
        found = engine.assemble(seen, DiarizeOptions())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.names) == 20
    assert peak < 100e6
