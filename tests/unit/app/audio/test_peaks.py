from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.audio.peaks import PEAKS_A_SECOND, PeakMeter
from engines.types import SAMPLE_RATE


def test_one_byte_for_each_tenth_of_a_second() -> None:
    meter = PeakMeter()
    loud = np.zeros(SAMPLE_RATE, np.float32)
    loud[SAMPLE_RATE // 2] = -1.0
    meter.feed(loud)
    peaks = meter.take()
    assert peaks is not None
    assert (peaks.start, list(peaks.values)) == (0.0, [0, 0, 0, 0, 0, 255, 0, 0, 0, 0])
    assert meter.take() is None
    meter.feed(0.5 * np.ones(SAMPLE_RATE // PEAKS_A_SECOND, np.float32))
    peaks = meter.take()
    assert peaks is not None
    assert (peaks.start, list(peaks.values)) == (1.0, [127])


@given(st.lists(st.integers(0, 5000), max_size=12))
def test_peaks_do_not_depend_on_the_blocks(cuts: list[int]) -> None:
    sound = np.sin(np.arange(20_000, dtype=np.float32))
    whole, parts = PeakMeter(), PeakMeter()
    whole.feed(sound)
    at = 0
    for size in [*cuts, len(sound)]:
        parts.feed(sound[at : at + size])
        at += size
    assert whole.take() == parts.take()
