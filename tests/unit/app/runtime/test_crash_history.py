from __future__ import annotations

import pytest

from app.runtime.crash_history import LONG_LIFE_SECONDS, LONGEST_PAUSE_SECONDS, MOST_DEATHS, CrashHistory


def deaths(history: CrashHistory, count: int, *, start: float = 0.0, every: float = 1.0) -> list[float]:
    """The pauses after so many deaths in a row, none of which answered a call."""
    return [history.died(start + every * number, "a", up=1.0, worked=False) for number in range(count)]


def test_the_first_start_is_immediate_and_each_further_pause_is_doubled() -> None:
    assert deaths(CrashHistory(), 9) == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(("up", "worked"), [(LONG_LIFE_SECONDS, False), (1.0, True)])
def test_a_long_life_or_an_answer_begins_anew(up: float, worked: bool) -> None:
    history = CrashHistory()
    deaths(history, MOST_DEATHS)
    assert history.died(10.0, "b", up=up, worked=worked) == 0
    assert (history.looping, history.reason) == (False, "b")


def test_an_answer_ends_the_loop_at_once() -> None:
    history = CrashHistory()
    deaths(history, MOST_DEATHS)
    told = [history.looping]
    history.worked()
    assert [*told, history.looping] == [True, False]
    assert history.died(10.0, "b", up=0.0, worked=False) == 0


@pytest.mark.parametrize("load_seconds", [0.2, 10.0, 61.0, 600.0])
def test_a_loop_is_many_deaths_in_a_row_however_long_the_engine_loads(load_seconds: float) -> None:
    history, now, told = CrashHistory(), 0.0, []
    for _ in range(3 * MOST_DEATHS):
        now += load_seconds
        now += history.died(now, "a", up=0.0, worked=False)
        told.append(history.looping)
    assert told == [False] * (MOST_DEATHS - 1) + [True] * (2 * MOST_DEATHS + 1)


def test_deaths_of_processes_that_lived_for_long_are_no_loop() -> None:
    history = CrashHistory()
    for number in range(20):
        assert history.died(100.0 * number, "a", up=LONG_LIFE_SECONDS, worked=False) == 0
    assert not history.looping


def test_the_rest_of_the_pause_is_told() -> None:
    history = CrashHistory()
    assert history.pause(0.0) == 0
    deaths(history, 4, every=0.0)
    assert [history.pause(now) for now in (0.0, 0.5, 5.0)] == [2.0, 1.5, 0.0]
    deaths(history, 20)
    assert history.pause(19.0) == LONGEST_PAUSE_SECONDS
