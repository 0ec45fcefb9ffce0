"""A client must read its answers at a kilobyte a second at least."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.api.transport import ReadingPace

IDLE = 60.0
BUFFERED = 2_000_000
"""Bytes that wait for the client: more than it reads in these tests."""
DAY = 86_400


def lasts(pending: Callable[[int], int], written: Callable[[int], int] = lambda _: BUFFERED) -> int:
    """Seconds until the connection is given up, at most a day. `goes_on` is called once a second."""
    pace = ReadingPace(IDLE, 0.0)
    return next(
        (
            second
            for second in range(DAY)
            if not pace.goes_on(float(second), written(second), pending(second))
        ),
        DAY,
    )


def test_a_client_that_reads_nothing_is_given_up() -> None:
    assert lasts(lambda _: BUFFERED) == IDLE + 1


@pytest.mark.parametrize("a_second", [0.02, 1, 500])
def test_a_few_bytes_now_and_then_keep_no_place(a_second: float) -> None:
    assert lasts(lambda second: BUFFERED - int(a_second * second)) == IDLE + 1


@pytest.mark.parametrize("a_second", [1_200, 20_000])
def test_a_slow_client_that_reads_on_is_served_to_the_end(a_second: int) -> None:
    assert lasts(lambda second: max(0, BUFFERED - a_second * second)) == DAY


def test_small_events_that_are_always_on_their_way_are_no_unread_ones() -> None:
    """A live stream of 300 bytes a second, of which the last ones are not acknowledged yet."""
    assert lasts(lambda _: 300, lambda second: 300 * (second + 1)) == DAY


def test_a_connection_between_two_answers_is_not_judged() -> None:
    assert lasts(lambda _: 0) == DAY
