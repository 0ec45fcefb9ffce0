"""A lane: one model, its worker threads, one queue of jobs (windows, utterances) from all requests.

Law: the lane only moves things; which jobs ride together is decided by `batching.pick`, which models may be
in memory by `residence.py`. A job whose request was cancelled is dropped before work is spent on it.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic

from app.errors import ApiError, RequestTimedOut, ShuttingDown
from app.runtime.batching import Turns, Waiting, pick
from app.runtime.cancel import Cancel
from app.runtime.jobs import Engine, Entry, Job, Recipe, Result
from app.runtime.meters import Meters
from app.runtime.residence import ModelState, Residence
from engines.errors import EngineError
from engines.types import Timings

log = logging.getLogger(__name__)
EXPECTED = (ApiError, EngineError)
"""Failures that say enough without a stack trace."""


class Lane(Generic[Engine, Job, Result]):
    """Runs one engine on threads of its own."""

    def __init__(
        self,
        name: str,
        recipe: Recipe[Engine, Job, Result],
        *,
        meters: Meters | None = None,
        idle: float = 0.0,
        residence: Residence | None = None,
    ) -> None:
        """`idle`: seconds without work after which the engine is unloaded; 0: never."""
        self.name = name
        self.size = recipe.size
        self._recipe = recipe
        self._meters = meters or Meters()
        self._idle = idle
        self._residence = residence or Residence()
        self._entries: OrderedDict[int, Entry[Job, Result]] = OrderedDict()
        self._ids = itertools.count()
        self._turns = Turns()
        self._changed = threading.Condition()
        self._closing = False
        self._wanted = False
        self._running = 0
        self._calls = 1
        self._leases = 0
        self._used = time.monotonic()
        self._engine: Engine | None = None
        self._state: ModelState = "idle"
        self.problem: str | None = "is not loaded yet"
        """Why the model cannot answer; None once it is loaded."""
        self._threads = [threading.Thread(target=self._lead, name=f"lane-{name}", daemon=True)]
        self._threads[0].start()

    def submit(
        self, job: Job, *, key: Hashable, seconds: float, request: Hashable, cancel: Cancel
    ) -> Future[tuple[Result, Timings]]:
        """Queues a job. The future fails with `EngineError` or `ApiError`.

        `key`: jobs of equal keys may share a batch. `seconds`: of sound, roughly.
        """
        entry: Entry[Job, Result] = Entry(job, key, seconds, request, cancel)
        with self._changed:
            if self._closing:
                entry.refuse(ShuttingDown())
                return entry.future
            if all(other.request != request for other in self._entries.values()):
                self._turns = self._turns.arrived(request)
            self._entries[next(self._ids)] = entry
            self._note_queue()
            self._changed.notify_all()
        return entry.future

    def preload(self) -> None:
        """Begins to load the model; a failure is in `problem` and is tried again with the next job."""
        with self._changed:
            self._wanted = True
            self._changed.notify_all()

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Keeps the engine in memory although no job waits: something that it has opened is in use."""
        with self._changed:
            self._leases += 1
        try:
            yield
        finally:
            with self._changed:
                self._leases -= 1
                self._used = time.monotonic()
                self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        with self._changed:
            return len(self._entries)

    @property
    def busy(self) -> bool:
        """Whether the next job would have to wait."""
        with self._changed:
            return bool(self._entries) or self._running >= self._calls

    @property
    def engine(self) -> Engine | None:
        """The loaded engine, if it is."""
        return self._engine

    @property
    def state(self) -> ModelState:
        return self._state

    @property
    def used(self) -> float:
        """When it worked last, by the monotonic clock."""
        return self._used

    def evict(self) -> bool:
        """Unloads the engine if nobody uses it. Returns whether its memory is free now."""
        with self._changed:
            return self._unload("its memory is wanted")

    def close(self) -> None:
        """Drops what waits, lets the running batches end, closes the engine."""
        with self._changed:
            self._closing = True
            dropped = list(self._entries.values())
            self._entries.clear()
            self._changed.notify_all()
        for entry in dropped:
            entry.refuse(ShuttingDown())
        for thread in self._threads:
            thread.join()
        self._residence.leave(self)

    def _lead(self) -> None:
        """The first thread: it loads, and closes at the end."""
        self._work_on(lead=True)
        for thread in self._threads[1:]:
            thread.join()
        if self._engine:
            self._engine.close()

    def _work_on(self, *, lead: bool) -> None:
        while (batch := self._next(lead=lead)) is not None:
            self._try(batch)
            del batch  # a waiting lane holds no audio
            with self._changed:
                self._running -= 1
                self._used = time.monotonic()
                self._changed.notify_all()

    def _try(self, batch: list[Entry[Job, Result]]) -> None:
        """Whatever an engine raises reaches those who wait, and only those whom it concerns."""
        try:
            self._work(self._loaded(batch), batch)
        except Exception as failure:
            if self._engine and len(batch) > 1:
                for entry in batch:  # one bad row must not fail its neighbours
                    self._try([entry])
                return
            self._meters.failed(self.name, len(batch))
            log.warning("a job failed: %s", failure, exc_info=not isinstance(failure, EXPECTED))
            for entry in batch:
                entry.future.set_exception(failure)

    def _loaded(self, batch: list[Entry[Job, Result]]) -> Engine:
        if self._engine is None:
            self._state = "loading"
            wanted = (lambda: not all(entry.abandoned for entry in batch)) if batch else self._open
            try:
                with self._residence.room(self, wanted):
                    self._engine = self._recipe.load()
            except Exception as failure:
                self.problem, self._state = str(failure), "failed"
                raise
            self.problem, self._state = None, "loaded"
            self._calls = self._recipe.calls(self._engine)
            self._hire()
        return self._engine

    def _open(self) -> bool:
        return not self._closing

    def _hire(self) -> None:
        """One thread for each batch that the engine takes at once; they stay when it is unloaded."""
        for number in range(len(self._threads), self._calls):
            thread = threading.Thread(
                target=self._work_on,
                kwargs={"lead": False},
                name=f"lane-{self.name}-{number}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def _work(self, engine: Engine, batch: list[Entry[Job, Result]]) -> None:
        if not batch:
            return
        began = time.monotonic()
        results = self._recipe.run(engine, [entry.job for entry in batch])
        ran = time.monotonic() - began
        waits = [began - entry.since for entry in batch]
        self._meters.worked(self.name, waits, sum(entry.seconds for entry in batch), ran)
        for entry, result in zip(batch, results, strict=True):
            timings = Timings(queued=began - entry.since, running=ran)
            entry.future.set_result((result, timings))

    def _next(self, *, lead: bool) -> list[Entry[Job, Result]] | None:
        """The next batch, counted as running; None when the lane is closed."""
        with self._changed:
            while True:
                self._drop_cancelled()
                if self._closing:
                    return None
                if self._entries and (lead or self._engine):
                    return self._begin(self._pick())
                if self._wanted and lead:
                    self._wanted = False
                    return self._begin([])
                patience = self._idle if lead and self._idle and self._engine else None
                if not self._changed.wait(patience) and time.monotonic() - self._used >= self._idle:
                    self._unload(f"nobody has asked for it for {self._idle:g} s")

    def _begin(self, batch: list[Entry[Job, Result]]) -> list[Entry[Job, Result]]:
        self._running += 1
        return batch

    def _unload(self, reason: str) -> bool:
        """Gives the memory back until somebody asks again. Under the lock, so nobody can begin to work."""
        if self._running or self._leases or self._entries or self._wanted:
            return False
        if self._engine:
            self._engine.close()
            self._engine = None
            self._state = "idle"
            self._residence.leave(self)
            log.info("model %s is unloaded: %s", self.name, reason)
        return True

    def _note_queue(self) -> None:
        self._meters.queued(
            self.name, len(self._entries), sum(entry.seconds for entry in self._entries.values())
        )

    def _pick(self) -> list[Entry[Job, Result]]:
        waiting = [Waiting(i, entry.request, entry.key, entry.seconds) for i, entry in self._entries.items()]
        limits = self._recipe.limits.shared(len(waiting), self._calls - self._running)
        chosen = set(pick(waiting, self._turns, limits))
        batch = [self._entries.pop(item.id) for item in waiting if item.id in chosen]
        left = {entry.request for entry in self._entries.values()}
        self._turns = self._turns.served([item for item in waiting if item.id in chosen], left)
        self._note_queue()
        return [entry for entry in batch if entry.future.set_running_or_notify_cancel()]

    def _drop_cancelled(self) -> None:
        gone = [i for i, entry in self._entries.items() if entry.abandoned]
        for i in gone:
            self._entries.pop(i).refuse(RequestTimedOut())
        if gone:
            self._meters.cancelled(self.name, len(gone))
            self._note_queue()
