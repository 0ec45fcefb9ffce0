"""The queue of one model: how rows are divided among threads, and how requests are gathered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import cast

import pytest

from app.runtime.admission import Permit
from app.runtime.batching import BatchLimits
from app.runtime.meters import Meters
from app.runtime.queue import Entry, WorkQueue
from engines.work import Ready, Work
from tests.support.lanes import permits
from tests.support.waiting import keeps, wait_until

admit = permits()


@pytest.fixture
def queue() -> WorkQueue:
    return WorkQueue("test", BatchLimits(rows=8), Meters())


def add(queue: WorkQueue, permit: Permit | None = None, *, urgent: bool = False) -> None:
    work = cast("Work[object, object]", Ready())
    queue.add(Entry(work, "key", 5.0, permit or admit(), urgent))


def gathering(queue: WorkQueue, rows: int, patience: float) -> Callable[[], bool]:
    """Gathers in a thread. Returns whether that has ended."""
    thread = threading.Thread(target=queue.gather, args=(rows, patience), daemon=True)
    thread.start()
    return lambda: not thread.is_alive()


def test_rows_are_divided_evenly_with_those_in_work(queue: WorkQueue) -> None:
    add(queue)
    first = queue.take(2)
    for _ in range(7):
        add(queue)
    second = queue.take(2)
    assert [len(first), len(second)] == [1, 4]
    queue.done(1)
    assert len(queue.take(2)) == 3


def test_a_thread_takes_all_that_wait_beside_a_larger_batch(queue: WorkQueue) -> None:
    for _ in range(8):
        add(queue)
    assert len(queue.take(1)) == 8
    for _ in range(3):
        add(queue)
    assert len(queue.take(2)) == 3


def test_rows_whose_batch_has_ended_do_not_count(queue: WorkQueue) -> None:
    for _ in range(4):
        add(queue)
    queue.done(len(queue.take(2)))
    for _ in range(4):
        add(queue)
    assert len(queue.take(2)) == 3, "two of the first four still wait"


def test_clients_that_were_answered_together_are_gathered(queue: WorkQueue) -> None:
    ended = gathering(queue, 3, 60.0)
    for _ in range(2):
        add(queue)
    keeps(lambda: not ended())
    add(queue)
    wait_until(ended)
    assert len(queue.take(1)) == 3


def test_nobody_is_gathered_for_no_rows(queue: WorkQueue) -> None:
    wait_until(gathering(queue, 0, 60.0))


def test_one_thread_gathers_at_a_time(queue: WorkQueue) -> None:
    first = gathering(queue, 2, 60.0)
    keeps(lambda: not first())
    wait_until(gathering(queue, 2, 60.0))
    add(queue)
    assert not first()
    add(queue)
    wait_until(first)
    wait_until(gathering(queue, 2, 60.0))


def test_gathering_ends_with_its_patience(queue: WorkQueue) -> None:
    add(queue)
    began = time.monotonic()
    queue.gather(2, 0.05)
    assert time.monotonic() - began >= 0.05


def test_an_urgent_row_is_not_kept_waiting(queue: WorkQueue) -> None:
    ended = gathering(queue, 5, 60.0)
    add(queue)
    keeps(lambda: not ended())
    add(queue, urgent=True)
    wait_until(ended)


def test_a_queue_that_closes_gathers_nobody(queue: WorkQueue) -> None:
    ended = gathering(queue, 5, 60.0)
    queue.close()
    wait_until(ended)


def test_another_thread_takes_rows_meanwhile(queue: WorkQueue) -> None:
    ended = gathering(queue, 2, 60.0)
    add(queue)
    assert len(queue.take(2)) == 1
    assert not ended()
    queue.close()
