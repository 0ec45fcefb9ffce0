"""A lane: one model, its queue, and the threads that work through it.

Law: takes a batch, runs it, delivers the results. `queue.py` decides which batch is next, and `model_life.py`
keeps the model in memory. A thread of a lane never ends before the lane is closed, and each entry that was
taken gets a result or a failure.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from functools import partial

from app.errors import RequestTimedOut, ShuttingDown
from app.logs import bound
from app.runtime.admission import Permit
from app.runtime.batch_trace import trace_batch
from app.runtime.batching import BatchLimits
from app.runtime.memory_budget import MemoryBudget
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.meters import Meters
from app.runtime.model_life import EXPECTED, ModelLife
from app.runtime.queue import Entry, Result_co, WorkQueue
from engines.errors import EngineDied, EngineError, EngineOutOfMemory, GivenUp, is_out_of_memory
from engines.work import Host, Work, joined

log = logging.getLogger(__name__)
GATHERING_SHARE = 0.1
"""After a batch of several requests, its thread waits at most this part of the time that the batch took,"""
LONGEST_GATHERING = 0.2
"""and at most so many seconds."""


class Lane:
    """Runs one model on its own threads."""

    def __init__(
        self,
        name: str,
        open_host: Callable[[], Host],
        *,
        limits: BatchLimits,
        size: int = 0,
        idle: float = 0.0,
        meters: Meters | None = None,
        memory_budget: MemoryBudget | None = None,
        shortage: MemoryShortage | None = None,
    ) -> None:
        """`size`: bytes of memory, roughly. `idle`: seconds without work until it is unloaded; 0: never."""
        self.name = name
        self.size = size
        self._meters = meters or Meters()
        self._shortage = shortage or MemoryShortage()
        self._queue = WorkQueue(name, limits, self._meters)
        self.life = ModelLife(
            name,
            size,
            open_host,
            idle=idle,
            memory_budget=memory_budget or MemoryBudget(),
            meters=self._meters,
            shortage=self._shortage,
            waiting=lambda: self._queue.waiting,
        )
        self._hiring = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._hire(1)

    def submit(
        self,
        work: Work[object, Result_co],
        *,
        key: Hashable,
        seconds: float,
        permit: Permit,
        urgent: bool = False,
    ) -> Future[Result_co]:
        """Queues one row of work. The future fails with `EngineError` or `ApiError`.

        `key`: works of equal keys may share a batch. `seconds`: of sound, roughly. `urgent`: goes before
        other rows, within the fair share.
        """
        entry = Entry(work, (type(work), key), seconds, permit, urgent)
        self._queue.add(entry)
        return entry.future

    def preload(self) -> None:
        """Begins to load the model, and tries again after failures until it is loaded."""
        self.life.preload()
        self._queue.wake()

    @property
    def waiting(self) -> int:
        """Entries in the queue."""
        return self._queue.waiting

    @property
    def running(self) -> int:
        """Batches that are running."""
        return self._queue.running

    @property
    def busy(self) -> bool:
        """Whether the next entry would have to wait."""
        host = self.life.host
        return bool(self._queue.waiting) or self._queue.running >= (host.calls if host else 1)

    def stop(self) -> None:
        """Refuses all waiting and all new entries."""
        self._queue.close()

    def close(self) -> None:
        """Refuses waiting entries, waits until the running batches have ended, and closes the engine."""
        self.stop()
        with self._hiring:
            threads = list(self._threads)
        for thread in threads:
            thread.join()
        self.life.close()

    def _hire(self, count: int) -> None:
        """Starts threads until there are `count`: as many as the calls that the engine takes at once. They
        keep running when the engine is unloaded.
        """
        with self._hiring:
            for number in range(len(self._threads), count):
                name = f"lane-{self.name}-{number}"
                thread = threading.Thread(target=self._serve, args=(number,), name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, number: int) -> None:
        """The loop of each thread until the lane is closed; the first thread also loads and unloads the
        model.
        """
        while self._queue.wait(self.life.due if number == 0 else _never):
            try:
                if number == 0:
                    self.life.tend()
                self._queue.gather(*self._work_once())
            except Exception:  # if this thread ended, all later requests would wait forever
                log.exception("a thread of the lane %s goes on after a fault", self.name)

    def _work_once(self) -> tuple[int, float]:
        """Runs one batch, if entries wait. If the model cannot be loaded, all waiting entries fail.

        Returns how many rows to `gather` for the next one, and for how many seconds.
        """
        self._queue.drop_abandoned()
        if not self._queue.waiting:
            return 0, 0.0
        try:
            with self.life.lease(self._queue.wanted) as host:
                self._hire(host.calls)
                return self._take_one(host)
        except Exception as failure:  # noqa: BLE001 - every kind of failure is given to the requests that wait
            self._meters.failed(self.name, self._queue.refuse_all(failure))
            log.warning("model %s cannot work: %s", self.name, failure)
            return 0, 0.0

    def _take_one(self, host: Host) -> tuple[int, float]:
        """Runs one batch. Each entry gets a result or a failure, and nothing is raised.

        Returns how many rows to `gather` for the next one, and for how many seconds.
        """
        began = time.monotonic()
        batch = self._queue.take(host.calls)
        try:
            if batch:
                self._do(host, batch)
        except Exception:
            log.exception("a batch of the lane %s was given up", self.name)
        finally:
            for entry in batch:
                entry.refuse(EngineError("The engine gave up."))
            self._queue.done(len(batch))
        several = len({entry.permit.number for entry in batch}) > 1
        patience = min(LONGEST_GATHERING, GATHERING_SHARE * (time.monotonic() - began))
        return len(batch) if several else 0, patience

    def _do(self, host: Host, batch: Sequence[Entry[object]], *, alone: bool = False) -> None:
        """Gives each entry a result. If the batch fails, each of its rows is tried alone.

        `alone`: no other batch may run at the same time, because the engine crashed when these rows were
        tried before.
        """
        began = time.monotonic()
        try:
            results = _results(host, batch, alone=alone)
        except EngineDied as failure:
            for entry in batch:
                if not entry.died(failure):
                    self._failed(entry, failure, began)
                else:
                    self._again(host, entry, alone=True)
        except GivenUp:
            for entry in batch:
                entry.refuse(RequestTimedOut() if entry.abandoned else ShuttingDown())
            self._meters.cancelled(self.name, len(batch))
        except Exception as failure:  # noqa: BLE001 - an engine may raise anything
            if len(batch) == 1:
                self._failed(batch[0], failure, began)
                return
            for entry in batch:
                self._again(host, entry, alone=alone)
        else:
            self._deliver(batch, results, began)

    def _again(self, host: Host, entry: Entry[object], *, alone: bool) -> None:
        if entry.abandoned:
            entry.refuse(RequestTimedOut())
        else:
            self._do(host, [entry], alone=alone)

    def _deliver(self, batch: Sequence[Entry[object]], results: Sequence[object], began: float) -> None:
        waits = [began - entry.since for entry in batch]
        sound = sum(entry.seconds for entry in batch)
        took = time.monotonic() - began
        self._meters.worked(self.name, waits, sound, took)
        trace_batch(self.name, batch, began)
        for entry, wait, result in zip(batch, waits, results, strict=True):
            entry.permit.timed(wait, took * (entry.seconds / sound if sound else 1 / len(batch)))
            entry.future.set_result(result)

    def _failed(self, entry: Entry[object], failure: Exception, began: float) -> None:
        if is_out_of_memory(failure):
            self._shortage.note()
            failure = EngineOutOfMemory()
        self._meters.failed(self.name, 1)
        trace_batch(self.name, [entry], began, failure)
        with bound(entry.permit.request):
            log.warning("model %s failed: %s", self.name, failure, exc_info=not isinstance(failure, EXPECTED))
        entry.refuse(failure)


def _never() -> None:
    """Does nothing. The first thread of a lane loads and unloads the model; the others wait with this."""


def _results(host: Host, batch: Sequence[Entry[object]], *, alone: bool) -> Sequence[object]:
    """One result for each row of the batch. Raises what the engine raises, and `EngineError` if the engine
    returned a different number of results.
    """
    try:
        with bound(_requests(batch)):
            work = joined([entry.work for entry in batch])
            results = host.do(work, _patience(batch), alone=alone, wanted=partial(_wanted, batch))
    except SystemExit as exiting:  # some libraries exit the program instead of raising an error
        raise EngineError("The engine gave up.") from exiting
    if len(results) != len(batch):
        raise EngineError(f"The engine gave {len(results)} results for {len(batch)} rows.")
    return results


def _requests(batch: Sequence[Entry[object]]) -> str | None:
    """The ids of all requests in a batch, for its log lines."""
    ids = dict.fromkeys(entry.permit.request for entry in batch)
    return ",".join(filter(None, ids)) or None


def _wanted(batch: Sequence[Entry[object]]) -> bool:
    """Whether a result of the batch is still needed."""
    return any(not entry.abandoned for entry in batch)


def _patience(batch: Sequence[Entry[object]]) -> float:
    """Seconds until the last deadline among the entries."""
    return max(entry.permit.cancel.left for entry in batch)
