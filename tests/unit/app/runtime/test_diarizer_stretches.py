"""Sound is cut into the stretches that a diarizer asks for, whatever the sizes of the blocks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.runtime.diarizer_stretches import DiarizerStretches
from engines.types import SAMPLE_RATE
from engines.work import LookSize, Stretch


@given(
    st.integers(0, 500),
    st.integers(1, 40),
    st.integers(1, 40),
    st.lists(st.integers(1, 90), min_size=1, max_size=20),
)
def test_stretches(length: int, one: int, two: int, blocks: list[int]) -> None:
    size = LookSize(span=max(one, two), hop=min(one, two))
    samples = np.arange(length, dtype=np.float32)
    cutter, parts = DiarizerStretches(size), list[Stretch]()
    at = 0
    for block in blocks * (1 + length):
        parts += cutter.feed(samples[at : at + block])
        at += block
        if at >= length:
            break
    parts += cutter.flush()
    assert bool(parts) == bool(length)
    for number, part in enumerate(parts):
        begin = number * size.hop
        assert part.start * SAMPLE_RATE == begin
        assert part.end == (number == len(parts) - 1)
        assert part.end or len(part.samples) == size.span
        assert np.array_equal(part.samples, samples[begin : begin + len(part.samples)])
    if parts:
        last = (len(parts) - 1) * size.hop
        assert last + len(parts[-1].samples) == length
        assert len(parts) == 1 or last + size.span - size.hop < length, "each stretch has sound of its own"
