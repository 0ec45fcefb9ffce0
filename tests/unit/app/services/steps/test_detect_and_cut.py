"""The cutting rules that options and settings give."""

from __future__ import annotations

import numpy as np
import pytest

from app.audio.cut_windows import FRAME_SAMPLES, WindowCutter
from app.domain import VadOptions
from app.services.steps.detect_and_cut import cut_rules


@pytest.mark.parametrize("longest", [15.0, 30.0])
@pytest.mark.parametrize("vad", [None, VadOptions()])
def test_a_window_has_at_most_the_seconds_of_the_setting(vad: VadOptions | None, longest: float) -> None:
    frames = int(100 * 16_000 / FRAME_SAMPLES)
    cutter = WindowCutter(cut_rules(vad, longest))
    cuts = cutter.feed(np.ones(frames * FRAME_SAMPLES, np.float32), np.ones(frames, np.float32))
    cuts += cutter.flush()
    lengths = [cut.end - cut.start for cut in cuts]
    assert sum(lengths) == pytest.approx(100, abs=1)
    assert longest / 3 <= min(lengths[:-1])
    assert max(lengths) <= longest


def test_the_options_of_a_request_are_obeyed() -> None:
    rules = cut_rules(VadOptions(threshold=0.7, prefix_padding_ms=100, silence_duration_ms=900), 15)
    assert (rules.threshold, rules.padding, rules.silence) == (0.7, 0.1, 0.9)
    assert (rules.longest, rules.earliest) == (15, 5)
    assert cut_rules(None, 15).padding == 0.0
