"""Permits: limited in number, in seconds of audio and in memory, and given back exactly once."""

from __future__ import annotations

import pytest

from app.errors import Overloaded, ShuttingDown
from app.runtime.admission import Admission, Pace


def test_permits_are_bounded_and_given_back_once() -> None:
    admission = Admission(limit=2, seconds=60)
    first, second = admission.admit(), admission.admit()
    with pytest.raises(Overloaded):
        admission.admit()
    first.close()
    first.close()
    assert admission.count == 1
    assert first.cancel.is_set()
    assert not second.cancel.is_set()
    with admission.admit() as third:
        assert third.number not in (first.number, second.number)
    assert admission.count == 1
    admission.closing = True
    with pytest.raises(ShuttingDown):
        admission.admit()


def test_the_queue_is_bounded_in_seconds_of_audio() -> None:
    admission = Admission(limit=10, seconds=60, queued=100.0)
    long, short = admission.admit(), admission.admit()
    long.claim(5000.0, 1.0)  # no other request is open, so only its own limits bound it
    with pytest.raises(Overloaded):
        short.claim(5.0, 1.0)
    long.worked(4950.0)
    short.claim(5.0, 1.0)
    assert admission.queued == pytest.approx(55.0)
    long.close()
    short.close()
    short.close()
    assert (admission.count, admission.queued, admission.held) == (0, 0.0, 0.0)


def test_memory_is_bounded() -> None:
    admission = Admission(limit=10, seconds=60, held=100.0)
    permits = [admission.admit() for _ in range(3)]
    permits[0].claim(10.0, 60.0)
    permits[1].claim(10.0, 40.0)
    with pytest.raises(Overloaded):
        permits[2].claim(10.0, 1.0)
    permits[0].close()
    permits[2].claim(10.0, 60.0)
    assert admission.held == pytest.approx(100.0)


def test_a_claim_is_refused_only_for_what_it_would_add_to() -> None:
    """Live sessions claim memory alone. A long file, which may exceed the queue's bound while it is alone,
    must not take their audio away.
    """
    admission = Admission(limit=10, seconds=60, queued=100.0, held=100.0)
    long, live = admission.admit(), admission.admit()
    long.claim(40_000.0, 10.0)
    live.claim(0.0, 15.0)
    assert admission.held == pytest.approx(25.0)
    with pytest.raises(Overloaded):
        live.claim(0.0, 80.0)
    with pytest.raises(Overloaded):
        live.claim(1.0, 0.0)


def test_memory_can_be_given_back_before_the_end() -> None:
    admission = Admission(limit=10, seconds=60, held=100.0)
    first, second = admission.admit(), admission.admit()
    first.claim(1.0, 90.0)
    first.release(60.0)
    second.claim(1.0, 70.0)
    first.release(1000.0)
    assert admission.held == pytest.approx(70.0), "not more than was claimed"
    first.close()
    assert admission.held == pytest.approx(70.0)


def test_more_work_than_was_announced_is_no_debt() -> None:
    admission = Admission(limit=10, seconds=60, queued=100.0)
    liar, other = admission.admit(), admission.admit()
    liar.claim(1.0, 1.0)
    other.claim(50.0, 1.0)
    liar.worked(1000.0)
    assert admission.queued == pytest.approx(50.0)


def test_the_time_to_come_again_follows_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("app.runtime.admission.time.monotonic", lambda: clock[0])
    admission = Admission(limit=10, seconds=60, queued=100.0)
    first, second = admission.admit(), admission.admit()
    first.claim(200.0, 1.0)
    for _ in range(5):
        clock[0] += 2.0
        first.worked(10.0)  # five seconds of audio a second
    with pytest.raises(Overloaded) as caught:
        second.claim(50.0, 1.0)  # 100 too much
    assert caught.value.retry_after == 20


def test_without_a_place_the_time_follows_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("app.runtime.admission.time.monotonic", lambda: clock[0])
    for took, told in ((0.1, 1), (40.0, 20), (10_000.0, 60)):
        admission = Admission(limit=2, seconds=60)
        with admission.admit():
            clock[0] += took
        admission.admit()
        admission.admit()
        with pytest.raises(Overloaded) as caught:
            admission.admit()
        assert caught.value.retry_after == told


def test_idle_time_does_not_slow_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("app.runtime.admission.time.monotonic", lambda: clock[0])
    pace = Pace()
    assert pace.time_for(10.0) == 0.0
    for _ in range(2):
        pace.resume()
        clock[0] += 1.0
        pace.add(10.0)
        pace.pause()
        clock[0] += 1000.0
    assert pace.time_for(10.0) == pytest.approx(1.0)
