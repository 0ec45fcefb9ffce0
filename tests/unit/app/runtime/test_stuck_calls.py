from __future__ import annotations

import math

import numpy as np
import pytest

from app.runtime.stuck_calls import ASSEMBLE_SECONDS, CALLS_KEPT, FIRST_LOAD_SECONDS, CallTimes
from engines.types import DiarizeOptions, Pcm, TranscribeOptions, Utterance, Window
from engines.work import Assemble, Embed, Speak, Transcribe


def speak(rows: int = 1) -> Speak:
    return Speak((Utterance("a", "one", "en"),) * rows)


def transcribe(*seconds: float) -> Transcribe:
    rows = tuple(Window(Pcm(np.zeros(int(16_000 * each), np.float32))) for each in seconds)
    return Transcribe(rows, TranscribeOptions())


def test_the_first_call_of_a_kind_may_take_ten_times_the_least() -> None:
    assert CallTimes(60.0).limit(speak(), math.inf) == 600


def test_later_calls_may_take_twenty_times_the_usual_time_of_their_rows() -> None:
    times = CallTimes(60.0)
    times.took(speak(2), 20.0)
    assert [times.limit(speak(rows), math.inf) for rows in (1, 4)] == [200, 800]


def test_no_call_has_less_than_the_least() -> None:
    times = CallTimes(60.0)
    times.took(speak(), 0.01)
    assert times.limit(speak(), math.inf) == 60


def test_the_median_counts_so_that_one_slow_call_does_not_hide_later_hangs() -> None:
    times = CallTimes(1.0)
    for seconds in (1.0, 5.0, 1.0):
        times.took(speak(), seconds)
    assert times.limit(speak(), math.inf) == 20
    for _ in range(CALLS_KEPT):
        times.took(speak(), 2.0)
    assert times.limit(speak(), math.inf) == 40, "old calls are forgotten"


def test_each_kind_counts_by_itself() -> None:
    times = CallTimes(1.0)
    times.took(speak(), 5.0)
    assert times.limit(Embed((Pcm(np.zeros(1, np.float32)),)), math.inf) == 10


def test_a_long_window_after_short_ones_and_short_ones_after_long_ones_may_take_their_time() -> None:
    times = CallTimes(1.0)
    times.took(transcribe(1.0), 1.0)
    assert times.limit(transcribe(30.0), math.inf) == 600
    times = CallTimes(1.0)
    times.took(transcribe(30.0), 1.0)
    assert times.limit(transcribe(*[0.5] * 8), math.inf) == 160


def test_a_call_for_which_nobody_waits_any_more_counts_as_stuck() -> None:
    times = CallTimes(1.0)
    times.took(speak(), 100.0)
    assert [times.limit(speak(), patience) for patience in (math.inf, 7.0, 0.0)] == [2000, 7, 1]


def test_putting_speakers_together_goes_by_the_whole_audio() -> None:
    times = CallTimes(1.0)
    work = Assemble(((),), DiarizeOptions())
    times.took(work, 1.0)
    assert times.limit(work, math.inf) == ASSEMBLE_SECONDS


@pytest.mark.parametrize(("loads", "limit"), [((0.2,), 60), ((2.0, 9.0, 1.0), 180), ((600.0,), 1800)])
def test_a_load_may_take_twenty_times_the_longest_one(loads: tuple[float, ...], limit: float) -> None:
    times = CallTimes(60.0)
    assert times.load_limit == FIRST_LOAD_SECONDS
    for seconds in loads:
        times.loaded(seconds)
    assert times.load_limit == limit
