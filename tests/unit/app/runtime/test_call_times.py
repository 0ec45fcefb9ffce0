from __future__ import annotations

import numpy as np

from app.runtime.call_times import ASSEMBLE_SECONDS, CallTimes
from engines.types import DiarizeOptions, Pcm, Utterance
from engines.work import Assemble, Embed, Speak


def speak(rows: int = 1) -> Speak:
    return Speak((Utterance("a", "one", "en"),) * rows)


def test_the_first_call_of_a_kind_may_take_ten_times_the_least() -> None:
    assert CallTimes(60.0).limit(speak()) == 600


def test_later_calls_may_take_twenty_times_the_usual_time_of_their_rows() -> None:
    times = CallTimes(60.0)
    times.took(speak(2), 20.0)
    assert [times.limit(speak(rows)) for rows in (1, 4)] == [200, 800]


def test_no_call_has_less_than_the_least() -> None:
    times = CallTimes(60.0)
    times.took(speak(), 0.01)
    assert times.limit(speak()) == 60


def test_the_slowest_call_counts_and_each_kind_by_itself() -> None:
    times = CallTimes(1.0)
    for seconds in (1.0, 5.0, 2.0):
        times.took(speak(), seconds)
    assert times.limit(speak()) == 100
    assert times.limit(Embed((Pcm(np.zeros(1, np.float32)),))) == 10


def test_putting_speakers_together_goes_by_the_whole_audio() -> None:
    times = CallTimes(1.0)
    work = Assemble(((),), DiarizeOptions())
    times.took(work, 1.0)
    assert times.limit(work) == ASSEMBLE_SECONDS
