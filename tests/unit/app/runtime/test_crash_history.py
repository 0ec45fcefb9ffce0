from __future__ import annotations

import pytest

from app.runtime.crash_history import LONGEST_PAUSE_SECONDS, MOST_DEATHS, WINDOW_SECONDS, CrashHistory


def deaths(history: CrashHistory, count: int, *, start: float = 0.0, every: float = 1.0) -> list[float]:
    """The pauses after so many deaths in a row, none of which answered a call."""
    return [history.died(start + every * number, "a", lived=1.0, worked=False) for number in range(count)]


def test_the_first_start_is_immediate_and_each_further_pause_is_doubled() -> None:
    assert deaths(CrashHistory(), 9) == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(("lived", "worked"), [(60.0, False), (1.0, True)])
def test_a_long_life_or_an_answer_begins_anew(lived: float, worked: bool) -> None:
    history = CrashHistory()
    deaths(history, MOST_DEATHS)
    assert history.died(10.0, "b", lived=lived, worked=worked) == 0
    assert (history.looping(10.0), history.reason) == (False, "b")


def test_an_answer_ends_the_loop_at_once() -> None:
    history = CrashHistory()
    deaths(history, MOST_DEATHS)
    assert history.looping(MOST_DEATHS)
    history.worked()
    assert not history.looping(MOST_DEATHS)
    assert history.died(10.0, "b", lived=0.0, worked=False) == 0


def test_a_loop_is_many_deaths_in_a_short_time() -> None:
    history = CrashHistory()
    deaths(history, MOST_DEATHS - 1)
    assert not history.looping(MOST_DEATHS)
    deaths(history, 1, start=MOST_DEATHS)
    assert history.looping(MOST_DEATHS)
    assert not history.looping(WINDOW_SECONDS + LONGEST_PAUSE_SECONDS + 1)


def test_rare_deaths_are_no_loop() -> None:
    history = CrashHistory()
    deaths(history, 20, every=59.0)
    assert not history.looping(20 * 59.0)


def test_the_rest_of_the_pause_is_told() -> None:
    history = CrashHistory()
    assert history.pause(0.0) == 0
    deaths(history, 4, every=0.0)
    assert [history.pause(now) for now in (0.0, 0.5, 5.0)] == [2.0, 1.5, 0.0]
