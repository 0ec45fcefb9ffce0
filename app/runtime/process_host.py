"""One engine in a child process; if that ends, in the next one.

Law: keeps one process, starts it again when it has ended, and says whether it can answer. The lane decides
what happens to work that was lost in a crash; the process itself is in `child_process.py`.

Theory of operation: each host has a thread that starts the process, watches it until it ends and starts the
next one, after the pause that `CrashHistory` asks for; another one asks the process for signs of life. Calls
wait for a process that is up. A call that has to be `alone` waits until no other one runs and keeps others
out, so that it is known whose fault a death is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from app.runtime.call_times import CallTimes
from app.runtime.child_process import death_label
from app.runtime.child_values import Loaded
from app.runtime.crash_history import CrashHistory
from app.runtime.engine_process import Child
from app.runtime.meters import ChildMeter
from engines.errors import EngineDied, EngineDown, EngineError, EngineStuck
from engines.types import Window
from engines.work import LengthClasses, LookSize, Result, Work

log = logging.getLogger(__name__)
LONGEST_LOAD_SECONDS = 1800.0
PING_SECONDS = 5.0
"""Seconds between two questions whether the process is alive."""
SILENT_PINGS = 2
"""Unanswered questions after which the process counts as not ready."""
CLOSED, OVERGROWN = EngineDied("it was closed"), EngineDied("it took more memory than `runtime.child_bytes`")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRules:
    """Limits of a child process."""

    stuck_seconds: float = 60.0
    """Seconds; a call that takes longer than this, and longer than usual, fails, and its process is ended."""
    child_bytes: int = 0
    """Resident memory beyond which the process is replaced between two calls; 0: no bound."""
    kept_windows: int = 24
    """Windows that the process keeps before their turn."""


class ProcessHost:
    """An engine in a child process; if that ends, in the next one."""

    calls: int
    looks: LookSize | None
    lengths: LengthClasses

    def __init__(
        self,
        name: str,
        start: Callable[[], Child],
        history: CrashHistory,
        rules: ProcessRules,
        meter: Callable[[str], ChildMeter],
    ) -> None:
        """Returns when the engine is loaded. Raises `EngineError`.

        `meter`: the counters of the model on a device, which is known when the engine is loaded.
        """
        self._name, self._start, self._meter_of = name, start, meter
        self._history, self._rules = history, rules
        self._changed = threading.Condition()
        self._child: Child | None = None
        """The process that is loaded and up."""
        self._latest: Child | None = None  # the one that was started last
        self._facts: Loaded | None = None
        self._failure: EngineError | None = None
        self._closing = False
        self._running = 0
        self._alone = 0
        """Calls that run alone or wait for it."""
        self._answered = self._replace = False
        self._times = CallTimes(rules.stuck_seconds)
        self._meter: ChildMeter | None = None
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._keep, self._ask)]
        for thread in self._threads:
            thread.start()
        facts = self._first_facts()
        self.calls, self.looks, self.lengths = facts.calls, facts.looks, facts.lengths
        self.device = facts.device

    @property
    def problem(self) -> str | None:
        child = self._child
        if child and child.alive:
            silent = child.unanswered
            return (
                f"its process is silent for {silent:.0f} s" if silent >= SILENT_PINGS * PING_SECONDS else None
            )
        again = "again and again" if self._history.looping(time.monotonic()) else "and is started again"
        return f"its process ended {again}: {self._history.reason or 'it is being replaced'}"

    def prepare(self, window: Window) -> Window:
        """The unchanged window, if the process does not run or must run one work alone."""
        with self._changed:
            child = self._child
            if child is None or self._alone:
                return window
        try:
            return child.keep(window)
        except EngineError:  # the work itself will fail in the same way, for its own request
            return window

    def do(self, work: Work[object, Result], patience: float, *, alone: bool = False) -> Sequence[Result]:
        with self._turn(patience, alone=alone) as child:
            began = time.monotonic()
            done = child.do(work, self._times.limit(work))
            self._answer(work, time.monotonic() - began, done.seconds, child)
        results: Sequence[Result] = done.value
        return results

    def close(self) -> None:
        with self._changed:
            self._closing = True
            child = self._latest
            self._changed.notify_all()
        if child:
            child.close()
        for thread in self._threads:
            thread.join()

    def _first_facts(self) -> Loaded:
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._facts or self._failure, LONGEST_LOAD_SECONDS)
            facts, failure = self._facts, self._failure
        if facts and in_time:
            return facts
        self.close()
        raise failure or EngineStuck(LONGEST_LOAD_SECONDS)

    @contextmanager
    def _turn(self, patience: float, *, alone: bool) -> Iterator[Child]:
        """The process, as soon as it can take work. Raises `EngineDown`."""
        seconds = min(patience, threading.TIMEOUT_MAX)
        with self._changed:
            self._alone += alone
            self._changed.wait_for(lambda: self._may_run(alone=alone), seconds)
            child = self._child if self._may_run(alone=alone) else None
            if child is None:
                self._alone -= alone
                self._changed.notify_all()
                raise self._down()
            self._running += 1
        try:
            yield child
        finally:
            with self._changed:
                self._running -= 1
                self._alone -= alone
                self._changed.notify_all()
                if self._replace and not self._running:
                    child.kill(OVERGROWN)

    def _may_run(self, *, alone: bool) -> bool:
        """Whether the caller may stop waiting: the process can take work, or it will never be able to."""
        if self._closing or (self._child is None and self._history.looping(time.monotonic())):
            return True
        free = not self._running if alone else not self._alone
        child = self._child
        return child is not None and child.alive and free and not self._replace

    def _down(self) -> EngineDown:
        return EngineDown(self._history.reason or "closed", self._history.pause(time.monotonic()))

    def _answer(self, work: Work[object, object], seconds: float, worked: float, child: Child) -> None:
        self._times.took(work, worked)
        if not self._answered:
            self._answered = True
            self._history.worked()
        size = child.memory
        if self._meter:
            self._meter.called(max(0.0, seconds - worked), size)
        if self._rules.child_bytes and size > self._rules.child_bytes:
            self._replace = True

    def _keep(self) -> None:
        """Runs one process after another, until the host is closed or the first load fails."""
        while not self._closing:
            try:
                child = self._start()
            except Exception as failure:  # noqa: BLE001 - given to the caller that opens the host
                self._note(None, failure)
            else:
                self._note(child, self._lived(child))
            with self._changed:
                if self._facts is None:
                    self._failure = self._failure or self._down()
                    self._changed.notify_all()
                    return
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closing, self._history.pause(time.monotonic()))

    def _lived(self, child: Child) -> EngineDied:
        """Runs one process; returns how it ended."""
        with self._changed:
            self._latest, self._answered, self._replace = child, False, False
            if self._closing:
                child.kill(CLOSED)
        child.loaded.add_done_callback(lambda loaded: self._is_up(child, loaded))
        death = child.watch()
        with self._changed:
            self._child = None
        if self._meter:
            self._meter.up(0)
        return death

    def _is_up(self, child: Child, loaded: Future[Loaded]) -> None:
        """Called when the engine is loaded, or failed to load."""
        failure = loaded.exception()
        with self._changed:
            if failure is None:
                self._facts, self._child = loaded.result(), child
                self._meter = self._meter or self._meter_of(self._facts.device)
                self._meter.up(1)
            elif isinstance(failure, EngineError) and not isinstance(failure, EngineDied):
                self._failure = failure
                child.kill(EngineDied(str(failure)))
            self._changed.notify_all()

    def _ask(self) -> None:
        """Asks the process for signs of life until the host is closed; ends one that gives none."""
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closing, PING_SECONDS):
                    return
                child = self._child
            if child and (silent := child.ping()) > max(
                self._rules.stuck_seconds, SILENT_PINGS * PING_SECONDS
            ):
                child.kill(EngineStuck(silent), blame=True)

    def _note(self, child: Child | None, failure: Exception) -> None:
        """Reports an unexpected end to the log, the meters and the history."""
        if self._closing or (self._facts is None and self._failure):
            return
        reason = failure.reason if isinstance(failure, EngineDied) else str(failure)
        lived = time.monotonic() - child.began if child else 0.0
        if failure is OVERGROWN:
            log.warning("the process of %s is replaced: %s", self._name, reason)
            self._count("replaced")
            return
        words = child.last_words() if child else ""
        told = f"{reason}; its last words: {words}" if words else reason
        pause = self._history.died(time.monotonic(), told, lived=lived, worked=self._answered)
        self._count(death_label(failure))
        log.error("the process of %s ended: %s; it is started again in %g s", self._name, told, pause)

    def _count(self, reason: str) -> None:
        if self._meter:
            self._meter.restarted(reason)
