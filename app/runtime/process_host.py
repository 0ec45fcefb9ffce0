"""Runs one engine in a child process, and starts a new process when it has ended.

Law: keeps one process, starts it again when it has ended, and says whether it can answer. The lane decides
what happens to work that was lost in a crash; the process itself is in `child_process.py`.

Theory of operation: each host has a thread that starts the process, watches it until it ends and starts the
next one, after the pause that `CrashHistory` asks for; another one ends a process that loads for too long or
gives no sign of life. Calls wait for a process that is up. A call that has to be `alone` waits until no other
one runs and keeps others out, so that it is known whose fault a death is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from app.runtime.child_death import CLOSED, OVERGROWN, death_label
from app.runtime.child_messages import Loaded
from app.runtime.child_process import WANTED_SECONDS
from app.runtime.engine_process import Child
from app.runtime.engine_record import EngineRecord
from app.runtime.meters import ChildMeter
from engines.errors import EngineDied, EngineDown, EngineError, EngineStuck, GivenUp
from engines.types import Window
from engines.work import LengthClasses, LookSize, Result, Work, always

log = logging.getLogger(__name__)
PING_SECONDS = 5.0
"""Seconds between two pings."""
SILENT_PINGS = 2
"""Pings without an answer after which the process counts as not ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRules:
    """Limits of a child process."""

    stuck_seconds: float = 60.0
    """A call that takes more seconds than this, and longer than usual, fails, and its process is killed."""
    child_bytes: int = 0
    """Bytes of resident memory above which the process is replaced between two calls; 0: no limit."""
    kept_seconds: float = 180.0
    """Seconds of sound in windows that are sent to the process before their batch is chosen."""


class ProcessHost:
    """An engine in a child process; a new process is started when it has ended."""

    calls: int
    looks: LookSize | None
    lengths: LengthClasses

    def __init__(
        self,
        name: str,
        start: Callable[[], Child],
        record: EngineRecord,
        rules: ProcessRules,
        meter: Callable[[str], ChildMeter],
    ) -> None:
        """`meter`: gives the metrics of the model on a kind of device."""
        self._name, self._start, self._meter_of = name, start, meter
        self._record, self._history, self._times = record, record.history, record.times
        self._rules = rules
        self._changed = threading.Condition()
        self._child: Child | None = None
        """The running process, once its engine is loaded."""
        self._latest: Child | None = None  # the process that was started last
        self._facts: Loaded | None = None
        self._failure: EngineError | None = None
        self._stopping = False
        self._running = 0
        self._alone = 0
        """Number of calls that run alone or wait for that."""
        self._answered = self._replace = False
        self._up_since: float | None = None
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._keep, self._ask)]

    def load(self) -> None:
        """Starts the process and returns when the engine is loaded. Call it once. Raises `EngineError`."""
        for thread in self._threads:
            thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._facts or self._failure)
            facts, failure = self._facts, self._failure
        if not facts:
            self.close()
            raise failure or GivenUp
        self.calls, self.looks, self.lengths = facts.calls, facts.looks, facts.lengths
        self.device = facts.device

    @property
    def stopping(self) -> bool:
        """Whether the host was stopped, so that no process will be started any more."""
        return self._stopping

    @property
    def problem(self) -> str | None:
        child = self._child
        if child and child.alive:
            silent = child.unanswered
            return (
                f"its process is silent for {silent:.0f} s" if silent >= SILENT_PINGS * PING_SECONDS else None
            )
        again = "again and again" if self._history.looping else "and is started again"
        return f"its process ended {again}: {self._history.reason or 'it is being replaced'}"

    def prepare(self, window: Window) -> Window:
        """Sends a window to the process before its turn. Returns the window unchanged if no process can take
        it now.
        """
        with self._changed:
            child = self._child
            if child is None or self._alone:
                return window
        try:
            return child.keep(window)
        except EngineError:  # the work itself will fail in the same way, for its own request
            return window

    def do(
        self,
        work: Work[object, Result],
        patience: float,
        *,
        alone: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> Sequence[Result]:
        with self._turn(patience, wanted, alone=alone) as child:
            began = time.monotonic()
            limit = self._times.limit(work, patience)
            done = child.do(work, limit, lambda: not self._stopping or wanted())
            self._answer(work, time.monotonic() - began, done.seconds, child)
        results: Sequence[Result] = done.value
        return results

    def stop(self) -> None:
        """Stops starting processes: no call waits for one any more, and a load is aborted.

        Running calls continue as long as their results are needed.
        """
        with self._changed:
            self._stopping = True
            child = self._child
            self._changed.notify_all()
        if self._latest and (child is None or child.unanswered >= SILENT_PINGS * PING_SECONDS):
            self._latest.kill(CLOSED)

    def close(self) -> None:
        self.stop()
        if self._latest:
            self._latest.close()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def _turn(self, patience: float, wanted: Callable[[], bool], *, alone: bool) -> Iterator[Child]:
        """Waits until the process can take work, and yields it. Raises `EngineDown` or `GivenUp`."""
        with self._changed:
            self._alone += alone
            try:
                child = self._awaited(patience, wanted, alone=alone)
                self._running += 1
            except EngineError:
                self._alone -= alone
                self._changed.notify_all()
                raise
        try:
            yield child
        finally:
            with self._changed:
                self._running -= 1
                self._alone -= alone
                self._changed.notify_all()
                if self._replace and not self._running:
                    child.kill(OVERGROWN)

    def _awaited(self, patience: float, wanted: Callable[[], bool], *, alone: bool) -> Child:
        until = time.monotonic() + min(patience, threading.TIMEOUT_MAX)
        while wanted() and not self._stopping:
            free = not self._running if alone else not self._alone
            child = self._child
            if child and child.alive and free and not self._replace:
                return child
            left = until - time.monotonic()
            if left <= 0 or (child is None and self._history.looping):
                raise self._down()
            self._changed.wait(min(left, WANTED_SECONDS))
        raise GivenUp

    def _down(self) -> EngineDown:
        return EngineDown(self._history.reason or "closed", self._history.pause(time.monotonic()))

    def _answer(self, work: Work[object, object], seconds: float, worked: float, child: Child) -> None:
        self._times.took(work, worked)
        size = child.memory
        self._meter.called(max(0.0, seconds - worked), size)
        with self._changed:
            if child is not self._child:  # it has ended meanwhile, and this says nothing about the next one
                return
            if not self._answered:
                self._answered = True
                self._history.worked()
            if self._rules.child_bytes and size > self._rules.child_bytes:
                self._replace = True

    @property
    def _meter(self) -> ChildMeter:
        return self._meter_of(self._record.device)

    def _keep(self) -> None:
        """Starts a new process whenever one has ended, until the host is stopped or the first load fails."""
        while not self._stopping:
            child: Child | None = None
            try:
                child = self._start()
                failure: Exception = self._lived(child)
            except Exception as wrong:  # noqa: BLE001 - given to the caller that loads the engine
                failure = wrong
            self._note(child, failure)
            with self._changed:
                self._changed.notify_all()
                if self._facts is None and not self._is_innocent(failure):
                    break
                self._changed.wait_for(lambda: self._stopping, self._history.pause(time.monotonic()))
        with self._changed:
            self._failure = self._failure or (GivenUp() if self._stopping else self._down())
            self._changed.notify_all()

    def _is_innocent(self, failure: Exception) -> bool:
        """Whether the first load should be tried again, because its process was killed from outside."""
        killed = isinstance(failure, EngineDied) and failure.killed
        return killed and not self._failure and not self._history.looping

    def _lived(self, child: Child) -> EngineDied:
        """Watches one process until it ends. Returns how it ended."""
        with self._changed:
            self._latest, self._answered, self._replace, self._up_since = child, False, False, None
            if self._stopping:
                child.kill(CLOSED)
        child.loaded.add_done_callback(lambda loaded: self._is_up(child, loaded))
        death = child.watch()
        with self._changed:
            self._child = None
        if self._facts:
            self._meter.up(0)
        return death

    def _is_up(self, child: Child, loaded: Future[Loaded]) -> None:
        """Called when the engine of a process is loaded, or could not be loaded."""
        failure = loaded.exception()
        with self._changed:
            if failure is None:
                self._facts, self._child = loaded.result(), child
                self._up_since = time.monotonic()
                self._times.loaded(self._up_since - child.began)
                self._record.device = self._facts.device
                self._meter.up(1)
            elif isinstance(failure, EngineError) and not isinstance(failure, EngineDied):
                self._failure = failure
                child.kill(EngineDied(str(failure)))
            self._changed.notify_all()

    def _ask(self) -> None:
        """Until the host is stopped, kills a process that loads for too long or does not answer pings."""
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._stopping, PING_SECONDS):
                    return
                child, latest = self._child, self._latest
            if child:
                self._meter.size(child.memory)
            limit = self._times.load_limit
            if child is None and latest and latest.alive and time.monotonic() - latest.began > limit:
                latest.kill(EngineStuck(limit, "was loading"))
            elif child and (silent := child.ping()) > max(
                self._rules.stuck_seconds, SILENT_PINGS * PING_SECONDS
            ):
                child.kill(EngineStuck(silent), blame=True)

    def _note(self, child: Child | None, failure: Exception) -> None:
        """Reports an unexpected end of a process to the log, the metrics and the crash history."""
        if self._stopping or (self._facts is None and self._failure):
            return
        reason = failure.reason if isinstance(failure, EngineDied) else str(failure)
        self._meter.restarted(death_label(failure))
        if failure is OVERGROWN:
            log.warning("the process of %s is replaced: %s", self._name, reason)
            return
        now = time.monotonic()
        words = child.last_words() if child else ""
        told = f"{reason}; its last words: {words}" if words else reason
        up = now - self._up_since if self._up_since else 0.0
        pause = self._history.died(now, told, up=up, worked=self._answered)
        log.error("the process of %s ended: %s; it is started again in %g s", self._name, told, pause)
