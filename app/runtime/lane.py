"""A lane: one model, one worker thread, one queue of jobs (windows, utterances) from all requests.

Law: the lane only moves things; which jobs ride together is decided by `batching.pick`. A job whose request
was cancelled is dropped before work is spent on it.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from app.errors import ApiError, RequestTimedOut, ShuttingDown
from app.runtime.batching import Waiting, pick
from app.runtime.cancel import Cancel
from app.runtime.meters import Meters
from engines.errors import EngineError
from engines.types import Timings

log = logging.getLogger(__name__)
EXPECTED = (ApiError, EngineError)
"""Failures that say enough without a stack trace."""


class Closable(Protocol):
    """Whatever holds a model's memory."""

    def close(self) -> None: ...


Engine = TypeVar("Engine", bound=Closable)
Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Entry(Generic[Job, Result]):
    job: Job
    key: Hashable
    seconds: float
    request: Hashable
    cancel: Cancel
    future: Future[tuple[Result, Timings]] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.cancel.is_set() or self.future.cancelled()


class Lane(Generic[Engine, Job, Result]):
    """Runs one engine on a thread of its own."""

    def __init__(
        self,
        name: str,
        load: Callable[[], Engine],
        run: Callable[[Engine, Sequence[Job]], Sequence[Result]],
        rows: int,
        *,
        meters: Meters | None = None,
        idle: float = 0.0,
    ) -> None:
        """`run`: does a batch of jobs of one key. `rows`: jobs in a batch.

        `idle`: seconds without work after which the engine is unloaded; 0: never.
        """
        self._name = name
        self._meters = meters or Meters()
        self._idle = idle
        self._load = load
        self._run_batch = run
        self._rows = rows
        self._entries: OrderedDict[int, _Entry[Job, Result]] = OrderedDict()
        self._ids = itertools.count()
        self._turns: list[Hashable] = []
        self._changed = threading.Condition()
        self._closing = False
        self._wanted = False
        self._engine: Engine | None = None
        self.problem: str | None = "is not loaded yet"
        """Why the model cannot answer; None once it is loaded."""
        self._thread = threading.Thread(target=self._run, name=f"lane-{name}", daemon=True)
        self._thread.start()

    def submit(
        self, job: Job, *, key: Hashable, seconds: float, request: Hashable, cancel: Cancel
    ) -> Future[tuple[Result, Timings]]:
        """Queues a job. The future fails with `EngineError` or `ApiError`.

        `key`: jobs of equal keys may share a batch. `seconds`: of sound, roughly.
        """
        entry: _Entry[Job, Result] = _Entry(job, key, seconds, request, cancel)
        with self._changed:
            if self._closing:
                _refuse(entry, ShuttingDown())
                return entry.future
            self._entries[next(self._ids)] = entry
            self._note_queue()
            self._changed.notify()
        return entry.future

    def preload(self) -> None:
        """Begins to load the model; a failure is in `problem` and is tried again with the next job."""
        with self._changed:
            self._wanted = True
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        with self._changed:
            return len(self._entries)

    def close(self) -> None:
        """Drops what waits, lets the running batch end, closes the engine."""
        with self._changed:
            self._closing = True
            dropped = list(self._entries.values())
            self._entries.clear()
            self._changed.notify()
        for entry in dropped:
            _refuse(entry, ShuttingDown())
        self._thread.join()

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            self._try(batch)
            del batch  # a waiting lane holds no audio
        if self._engine:
            self._engine.close()

    def _try(self, batch: list[_Entry[Job, Result]]) -> None:
        """Whatever an engine raises reaches those who wait, and only those whom it concerns."""
        try:
            self._work(self._loaded(), batch)
        except Exception as failure:
            if self._engine and len(batch) > 1:
                for entry in batch:  # one bad row must not fail its neighbours
                    self._try([entry])
                return
            self._meters.failed(self._name, len(batch))
            log.warning("a job failed: %s", failure, exc_info=not isinstance(failure, EXPECTED))
            for entry in batch:
                entry.future.set_exception(failure)

    def _loaded(self) -> Engine:
        if self._engine is None:
            try:
                self._engine = self._load()
            except Exception as failure:
                self.problem = str(failure)
                raise
            self.problem = None
        return self._engine

    def _work(self, engine: Engine, batch: list[_Entry[Job, Result]]) -> None:
        if not batch:
            return
        began = time.monotonic()
        results = self._run_batch(engine, [entry.job for entry in batch])
        ran = time.monotonic() - began
        waits = [began - entry.since for entry in batch]
        self._meters.worked(self._name, waits, sum(entry.seconds for entry in batch), ran)
        for entry, result in zip(batch, results, strict=True):
            timings = Timings(queued=began - entry.since, running=ran)
            entry.future.set_result((result, timings))

    def _next(self) -> list[_Entry[Job, Result]] | None:
        """The next batch; None when the lane is closed."""
        with self._changed:
            while True:
                self._drop_cancelled()
                if self._closing:
                    return None
                if self._entries:
                    return self._pick()
                if self._wanted:
                    self._wanted = False
                    return []
                if not self._changed.wait(self._idle if self._idle and self._engine else None):
                    self._unload()

    def _unload(self) -> None:
        """Gives the memory back until somebody asks again."""
        if self._engine:
            self._engine.close()
            self._engine = None
            log.info("model %s is unloaded: nobody has asked for it for %g s", self._name, self._idle)

    def _note_queue(self) -> None:
        self._meters.queued(
            self._name, len(self._entries), sum(entry.seconds for entry in self._entries.values())
        )

    def _pick(self) -> list[_Entry[Job, Result]]:
        waiting = [Waiting(i, entry.request, entry.key, entry.seconds) for i, entry in self._entries.items()]
        batch = [self._entries.pop(i) for i in pick(waiting, self._turns, self._rows)]
        self._note_turns(batch)
        self._note_queue()
        return [entry for entry in batch if entry.future.set_running_or_notify_cancel()]

    def _note_turns(self, batch: list[_Entry[Job, Result]]) -> None:
        served = list(dict.fromkeys(entry.request for entry in batch))
        there = {entry.request for entry in self._entries.values()}
        self._turns = [r for r in self._turns if r in there and r not in served] + served

    def _drop_cancelled(self) -> None:
        gone = [i for i, entry in self._entries.items() if entry.abandoned]
        for i in gone:
            _refuse(self._entries.pop(i), RequestTimedOut())
        if gone:
            self._meters.cancelled(self._name, len(gone))
            self._note_queue()


def _refuse(entry: _Entry[Any, Any], error: ApiError) -> None:
    if entry.future.set_running_or_notify_cancel():
        entry.future.set_exception(error)
