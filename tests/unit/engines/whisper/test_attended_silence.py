"""Which positions of silence are kept, and how many each stands for."""

from __future__ import annotations

import numpy as np
import pytest

from engines.whisper.attended_silence import POSITION_STEP, AttendedSilence, no_silence


def kept(positions: int) -> list[np.ndarray]:
    """One layer of one value a position: its number. Of those that are kept."""
    return [np.arange(0, positions, POSITION_STEP, dtype=np.uint16)[None, :, None]] * 2


@pytest.mark.parametrize("position", [0, 50, 51, 1450, 1499, 1500])
def test_each_kept_position_stands_for_the_others_around_it(position: int) -> None:
    silence = AttendedSilence(kept(1500), 1500)
    keys, values = silence.after(position)
    assert np.array_equal(keys, values)
    assert list(keys[0, :, 0]) == [one for one in range(position, 1500) if one % POSITION_STEP == 0]
    counts = np.exp(silence.counts(position))
    assert len(counts) == position + keys.shape[1]
    assert np.all(counts[:position] == 1)
    if keys.size:
        assert counts.sum() == pytest.approx(1500, rel=1e-5)


def test_sound_without_silence_attends_to_itself_alone() -> None:
    silence = no_silence(2, 8)
    assert [one.shape for one in silence.after(100)] == [(1, 0, 8)] * 4
    assert np.array_equal(silence.counts(100), np.zeros(100))
