"""The queue of one model: the waiting work of all requests, and which of it is next.

Law: moves entries and nothing else; which of them share a batch is decided by `batching.pick`. An entry of a
cancelled request is removed before work is spent on it.

Theory of operation: `add` puts an entry at the end. A lane's thread sleeps in `wait` and takes the next batch
with `take`, which counts it as running until `done`. An entry leaves early when its future is cancelled (at
once) or when its request's cancel token is set (with the next `take`).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from app.errors import RequestTimedOut, ShuttingDown
from app.runtime.admission import Permit
from app.runtime.batching import BatchLimits, pick
from app.runtime.fair_share import FairShare, WaitingRow
from app.runtime.meters import Meters
from engines.errors import EngineDied
from engines.work import Work

Result_co = TypeVar("Result_co", covariant=True)
MOST_CRASHES = 2
"""How many processes may crash while they work on one row. After the first crash the row runs alone, so that
a second crash is the fault of this row.
"""
MOST_KILLS = 12
"""A row fails after so many of its processes were killed from outside. It is more than `MOST_CRASHES`, as the
row need not be the cause. It bounds the attempts where the kernel does not tell that it killed a process
because memory ran out."""


@dataclass(slots=True, eq=False)
class Entry(Generic[Result_co]):
    """One row of work, with its request and the future of its result."""

    work: Work[object, Result_co]
    """The work, with exactly one row."""
    key: Hashable
    """Batch key: only entries with equal keys may share a batch."""
    seconds: float
    """Seconds of sound in the row, roughly."""
    permit: Permit
    urgent: bool = False
    """Whether the row is served before others, as far as the fair share of its request allows."""
    future: Future[Result_co] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)
    crashes: int = 0
    """Number of engine processes that crashed while they worked on this row."""
    kills: int = 0
    """Number of engine processes that were killed from outside while they worked on this row."""

    def died(self, failure: EngineDied) -> bool:
        """Counts the death of a process that worked on this row. Returns whether the row should be tried
        again.
        """
        self.kills += failure.killed
        self.crashes += not failure.killed
        return self.crashes < MOST_CRASHES and self.kills < MOST_KILLS

    @property
    def abandoned(self) -> bool:
        """Whether its request was cancelled."""
        return self.permit.cancel.is_set() or self.future.cancelled()

    def refuse(self, error: Exception) -> None:
        """Fails the future with this error, unless it already has a result."""
        if self.future.done():
            return
        if self.future.running() or self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class WorkQueue:
    """The queue of one model. All methods may be called from any thread; only `wait` and `gather` block."""

    def __init__(self, name: str, limits: BatchLimits, meters: Meters) -> None:
        self._name = name
        self._limits = limits
        self._meters = meters
        self._entries: OrderedDict[int, Entry[object]] = OrderedDict()
        self._ids = itertools.count()
        self._shares = FairShare()
        # A reentrant lock, because cancelling a future calls back on the same thread.
        self._changed = threading.Condition(threading.RLock())
        self._running = 0
        self._rows_running = 0
        self._gathering = False
        self._closed = False

    @property
    def waiting(self) -> int:
        """Number of waiting entries."""
        return len(self._entries)

    @property
    def running(self) -> int:
        """Batches that are running."""
        return self._running

    def add(self, entry: Entry[object]) -> None:
        """Adds an entry at the end. If the queue is closed, the entry fails at once."""
        with self._changed:
            if self._closed:
                entry.refuse(ShuttingDown())
                return
            request = entry.permit.number
            if all(other.permit.number != request for other in self._entries.values()):
                self._shares = self._shares.arrived(request)
            number = next(self._ids)
            self._entries[number] = entry
            self._note()
            self._changed.notify_all()
        entry.future.add_done_callback(partial(self._left, number))

    def wait(self, due: Callable[[], float | None]) -> bool:
        """Sleeps until an entry waits, or until `due()` seconds have passed. Returns False if the queue is
        closed.

        If `due()` is None, it sleeps without limit. It is called again after each `wake`.
        """
        with self._changed:
            if not (self._entries or self._closed):
                self._changed.wait(due())
            return not self._closed

    def gather(self, rows: int, patience: float) -> None:
        """After a batch of several requests with so many rows: blocks until as many wait, at most `patience`
        seconds.

        Clients that were answered together come again together, but for some milliseconds. Without it, the
        first one would be a batch of its own, the others would wait for its end, and most batches would have
        one row. It ends at once if a row is urgent. One thread gathers at a time; others take rows meanwhile.
        """
        with self._changed:
            if self._gathering:
                return
            self._gathering = True
            try:
                self._changed.wait_for(lambda: self._closed or self._together(rows), patience)
            finally:
                self._gathering = False

    def wake(self) -> None:
        """Wakes all sleeping threads, so that they call their `due` functions again."""
        with self._changed:
            self._changed.notify_all()

    def wanted(self) -> bool:
        """Whether a request that was not cancelled still waits."""
        with self._changed:
            return any(not entry.abandoned for entry in self._entries.values())

    def take(self, calls: int) -> list[Entry[object]]:
        """Takes the next batch, for one of `calls` threads. Call `done` afterwards, even if the batch is
        empty.
        """
        with self._changed:
            self._running += 1
            self._drop_abandoned()
            picked = self._picked(calls)
            self._note()
            batch = [entry for entry in picked if entry.future.set_running_or_notify_cancel()]
            self._rows_running += len(batch)
        return batch

    def done(self, rows: int) -> None:
        """Notes that a batch from `take` with so many rows has ended."""
        with self._changed:
            self._running -= 1
            self._rows_running -= rows

    def drop_abandoned(self) -> None:
        """Removes the entries of cancelled requests."""
        with self._changed:
            self._drop_abandoned()

    def refuse_all(self, error: Exception) -> int:
        """Fails all waiting entries, because the model cannot work. Returns their number."""
        with self._changed:
            dropped = list(self._entries.values())
            self._entries.clear()
            self._shares = FairShare()
            self._note()
        for entry in dropped:
            entry.refuse(error)
        return len(dropped)

    def close(self) -> None:
        """Fails all waiting entries and every later one."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.refuse_all(ShuttingDown())

    def _together(self, rows: int) -> bool:
        return len(self._entries) >= rows or any(one.urgent for one in self._entries.values())

    def _left(self, number: int, future: Future[object]) -> None:
        """Called when the future of an entry is done. If it was cancelled, the entry leaves the queue at
        once.
        """
        if not future.cancelled():
            return
        with self._changed:
            if self._entries.pop(number, None):
                self._meters.cancelled(self._name, 1)
                self._note()

    def _drop_abandoned(self) -> None:
        gone = [number for number, entry in self._entries.items() if entry.abandoned]
        for number in gone:
            if entry := self._entries.pop(number, None):
                self._meters.cancelled(self._name, 1)
                entry.refuse(RequestTimedOut())
        if gone:
            self._note()

    def _picked(self, calls: int) -> list[Entry[object]]:
        """Removes and returns the next batch, for one of `calls` threads."""
        waiting = [
            WaitingRow(number, entry.permit.number, entry.key, entry.seconds, entry.urgent)
            for number, entry in self._entries.items()
        ]
        chosen = set(
            pick(waiting, self._shares, self._limits.shared(len(waiting) + self._rows_running, calls))
        )
        batch = [self._entries.pop(item.id) for item in waiting if item.id in chosen]
        left = {entry.permit.number for entry in self._entries.values()}
        self._shares = self._shares.served([item for item in waiting if item.id in chosen], left)
        return batch

    def _note(self) -> None:
        seconds = sum(entry.seconds for entry in self._entries.values())
        self._meters.queued(self._name, len(self._entries), seconds)
