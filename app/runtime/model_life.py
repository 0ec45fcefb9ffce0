"""The life of one model: loaded when it is needed, unloaded when it is not, loaded again after a failure.

Law: knows when a model is in memory and who uses it, never what is done with it.

Theory of operation: each user of the model holds a lease, and a model with an open lease is never
unloaded. The first lease loads it; threads that come meanwhile wait. A model that must be ready without being
asked for (`preload`) is tried again after a failure with exponential back-off, by the lane's first thread,
which calls `tend` whenever `due` is over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import ApiError
from app.runtime.memory_budget import MemoryBudget, ModelState
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.meters import Meters
from engines.errors import EngineDied, EngineDown, EngineError, EngineOutOfMemory, is_out_of_memory
from engines.work import Host

log = logging.getLogger(__name__)
EXPECTED = (ApiError, EngineError)
"""Failures whose message says enough, so that no stack trace is logged."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
"""Seconds between two attempts to load a model that must be ready: the pause doubles from the first to the
second value.
"""

LONGEST_GOODBYE_SECONDS = 30.0
"""Seconds that closing waits for the last users of the engine."""


class _Retry:
    """When to load a model that must be ready again after a failure: exponential back-off."""

    def __init__(self) -> None:
        self.at: float | None = None
        """When the next attempt is due, as a time of the monotonic clock; None if none is due."""
        self._required = False
        self._pause = FIRST_PAUSE_SECONDS

    def begin(self) -> None:
        """Requires the model to be ready from now on; the first attempt is due at once."""
        self._required, self.at = True, time.monotonic()

    def failed(self) -> None:
        """Notes a failed attempt: the next one is due after a pause that doubles each time."""
        if self._required:
            self.at = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def succeeded(self) -> None:
        """Notes that the model is loaded: no attempt is due."""
        self.at, self._pause = None, FIRST_PAUSE_SECONDS


class ModelLife:
    """One model, in memory or not. All methods may be called from any thread."""

    def __init__(
        self,
        name: str,
        size: int,
        open_host: Callable[[], Host],
        *,
        idle: float,
        memory_budget: MemoryBudget,
        meters: Meters,
        shortage: MemoryShortage,
        waiting: Callable[[], int],
    ) -> None:
        """`size`: roughly the bytes of memory. `idle`: seconds without use until the model is unloaded; 0:
        never.

        `waiting`: number of requests that wait to use the model; it is not unloaded while there are any.
        """
        self.name, self.size, self._open, self._idle = name, size, open_host, idle
        self._memory_budget, self._meters, self._shortage = memory_budget, meters, shortage
        self._waiting = waiting
        self._changed = threading.Condition()
        """Held only briefly, because the event loop takes it too."""
        self._loading = threading.Lock()
        """Held while the engine is loaded or closed."""
        self._leases = 0
        self._host: Host | None = None
        self._retry = _Retry()
        self.used = time.monotonic()
        """When the model was used last, as a time of the monotonic clock."""
        self._state: ModelState = "idle"
        self._problem: str | None = "is not loaded yet"
        self._failure: Exception | None = None
        """Why the last attempt to load the model failed."""

    @property
    def problem(self) -> str | None:
        """Why the model cannot answer. None if it is loaded, or if it was unloaded because it was idle."""
        host = self._host
        return host.problem if host else self._problem

    @property
    def crash(self) -> str | None:
        """How the engine's process ended, until a new process is up; None for all other problems."""
        host = self._host
        if host:
            return host.problem
        return self._problem if isinstance(self._failure, EngineDied | EngineDown) else None

    @property
    def state(self) -> ModelState:
        """Whether the model is in memory. While the process of an engine that died is restarted, this is
        `loading` or `failed`.
        """
        host = self._host
        return "failed" if host and host.problem else self._state

    @property
    def host(self) -> Host | None:
        """The loaded engine, or None. It may be unloaded at any time, except during a `lease`."""
        return self._host

    @contextmanager
    def lease(self, wanted: Callable[[], bool]) -> Iterator[Host]:
        """The loaded engine; it is loaded first if necessary. Raises `EngineError` or `ApiError`.

        `wanted`: whether somebody still needs the model while it waits for memory of other models.
        """
        host = self._taken(wanted)
        try:
            yield host
        finally:
            self._returned()

    @contextmanager
    def hold(self) -> Iterator[Host | None]:
        """The engine if it is loaded, else None. It is not unloaded within the `with` block."""
        with self._changed:
            host = self._host
            self._leases += host is not None
        try:
            yield host
        finally:
            if host is not None:
                self._returned()

    def preload(self) -> None:
        """Requires the model to be loaded from now on, even without a request for it."""
        with self._changed:
            self._retry.begin()

    def due(self) -> float | None:
        """Seconds until `tend` must be called; None: no call is needed."""
        now = time.monotonic()
        if self._retry.at is not None:
            return max(0.0, self._retry.at - now)
        if self._idle and self._host is not None:
            # While the model is in use it cannot be unloaded; when the use ends, the idle time starts again.
            return max(0.0, self.used + self._idle - now) if not self._leases else self._idle
        return None

    def tend(self) -> None:
        """Tries again to load the model if that is due, or unloads it if it was idle for too long."""
        now = time.monotonic()
        if self._retry.at is not None and now >= self._retry.at:
            try:
                with self.lease(lambda: True):
                    pass
            except Exception as failure:  # noqa: BLE001 - it is in `problem`, and will be tried again
                log.warning("model %s is not ready: %s", self.name, failure)
        elif self._idle and now - self.used >= self._idle:
            self._unload(f"nobody has asked for it for {self._idle:g} s")

    def evict(self) -> bool:
        """Unloads the model, unless it is in use or waited for. Returns whether the memory is free now."""
        return self._unload("another model needs its memory")

    def close(self) -> None:
        """Waits until nobody uses the engine, and closes it; it is not loaded again by itself."""
        with self._loading:
            with self._changed:
                self._retry.at = None
                self._changed.wait_for(lambda: not self._leases, LONGEST_GOODBYE_SECONDS)
                host, self._host, self._state = self._host, None, "idle"
            if host:
                host.close()
        self._memory_budget.leave(self)

    def _unload(self, reason: str) -> bool:
        if not self._loading.acquire(blocking=False):
            return False  # a request is about to use it
        try:
            with self._changed:
                if self._leases or self._waiting():
                    return False
                host, self._host, self._state = self._host, None, "idle"
            if host:
                host.close()
                self._memory_budget.leave(self)
                log.info("model %s is unloaded: %s", self.name, reason)
            return True
        finally:
            self._loading.release()

    def _taken(self, wanted: Callable[[], bool]) -> Host:
        with self._loading:
            with self._changed:
                if self._host:
                    self._leases += 1
                    return self._host
                self._state = "loading"
            host = self._loaded(wanted)
            with self._changed:
                self._host, self._state, self._problem, self._failure = host, "loaded", None, None
                self._leases += 1
                self._retry.succeeded()
            return host

    def _loaded(self, wanted: Callable[[], bool]) -> Host:
        began = time.monotonic()
        try:
            with self._memory_budget.room(self, wanted):
                host = self._open()
        except Exception as failure:
            raise self._failed(failure) from failure
        self._meters.loaded(self.name, time.monotonic() - began)
        log.info("model %s is loaded", self.name)
        return host

    def _failed(self, failure: Exception) -> Exception:
        """Remembers the reason and the time of the next attempt. Returns the failure for the requests that
        wait.
        """
        if is_out_of_memory(failure):
            self._shortage.note()
            failure = EngineOutOfMemory()
        self._problem, self._state = str(failure) or type(failure).__name__, "failed"
        self._failure = failure
        if not isinstance(failure, EXPECTED):
            log.error("model %s cannot be loaded", self.name, exc_info=failure)
        self._retry.failed()
        return failure

    def _returned(self) -> None:
        with self._changed:
            self._leases -= 1
            self.used = time.monotonic()
            free = not self._leases
            self._changed.notify_all()
        if free:
            self._memory_budget.changed()
