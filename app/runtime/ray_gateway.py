"""The server's side of the gateway to a Ray cluster: starts its process, and starts it again when it ended.

Law: knows whether the cluster can be asked; what is asked is in `ray_placement.py`. Imports no Ray.

Theory of operation: one thread starts the process, watches it until it ends and starts the next one, after
the pause that `CrashHistory` asks for. Another one asks every second how the models are, which is a sign of
life too. While the cluster cannot be reached, questions are refused at once, so that clients get 503 with
`Retry-After` and nobody waits for a head that is not there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

from app.runtime.child_process import WANTED_SECONDS, ChildProcess
from app.runtime.crash_history import CrashHistory
from app.runtime.ray_values import AppState, StatesOf
from engines.errors import SIGKILL, ClusterDown, EngineDied, EngineError, EngineStuck, GivenUp
from engines.work import always

log = logging.getLogger(__name__)
START_SECONDS = 90.0
LOOK_SECONDS = 1.0
"""Between two questions how the models are."""
SILENT_SECONDS = 60.0
"""A gateway that gave no answer for so long is ended."""
GRACE_SECONDS = 5.0
"""Seconds beyond the patience of a question in which the gateway itself gives up."""


class Gateway:
    """The gateway of one server. It runs while somebody has entered."""

    def __init__(self, start: Callable[[], ChildProcess]) -> None:
        """`start`: starts the process; called on the thread that watches it."""
        self._start = start
        self._changed = threading.Condition()
        self._entering = threading.Lock()
        """Held while it is started or ended, so that one never meets the other."""
        self._history = CrashHistory()
        self._users: dict[str, int] = {}
        """The models of those who have entered."""
        self._child: ChildProcess | None = None
        """The process that is connected."""
        self._latest: ChildProcess | None = None
        self._states: dict[str, AppState] = {}
        self._down = False
        """Whether the last attempt to connect failed."""
        self._threads: list[threading.Thread] = []

    @property
    def problem(self) -> str | None:
        """Why the cluster cannot be asked; None if it can."""
        if self._child:
            return None
        return f"the Ray cluster cannot be asked: {self._history.reason or 'it is being joined'}"

    def state(self, app: str) -> AppState:
        """How a model was at the last look."""
        return self._states.get(app, AppState())

    def loaded(self, app: str) -> None:
        """A replica of the model has answered since the last look."""
        if not self.state(app).replicas:
            self._states = {**self._states, app: AppState(1, "")}

    def enter(self, app: str) -> None:
        """Starts the process, if nobody has entered yet."""
        with self._entering, self._changed:
            self._users[app] = self._users.get(app, 0) + 1
            if not self._threads:
                self._threads = [
                    threading.Thread(target=work, daemon=True) for work in (self._keep, self._watch)
                ]
                for thread in self._threads:
                    thread.start()

    def leave(self, app: str) -> None:
        """Ends the process, if everybody has left. Blocks."""
        with self._entering:
            with self._changed:
                self._users[app] -= 1
                if not self._users[app]:
                    del self._users[app]
                if self._users:
                    return
                threads, self._threads = self._threads, []
                child = self._latest
                self._changed.notify_all()
            if child:
                child.close()
            for thread in threads:
                thread.join()

    def ask(self, question: object, patience: float, wanted: Callable[[], bool] = always) -> Any:
        """Blocks. Raises `EngineError`: `ClusterDown` if the cluster cannot be asked, `EngineDied` if the
        gateway ended meanwhile, `GivenUp` if the answer is not wanted any more.
        """
        until = time.monotonic() + patience + GRACE_SECONDS
        child = self._joined_child(patience, wanted)
        try:
            return self._answer(child.begin(question), until, wanted)
        except EngineDied as died:
            if child.alive:
                raise
            # No fault of the work: it may be tried as often as if somebody had ended a replica.
            raise EngineDied("the gateway to its cluster ended", signal=SIGKILL) from died

    def _answer(self, answer: Future[Any], until: float, wanted: Callable[[], bool]) -> Any:
        while not wait([answer], WANTED_SECONDS).done:
            if not wanted():
                raise GivenUp
            if time.monotonic() >= until:
                raise EngineError("The cluster took longer than the request may take.")
        return answer.result()

    def _joined_child(self, patience: float, wanted: Callable[[], bool]) -> ChildProcess:
        """The process, as soon as it has joined the cluster."""
        until = time.monotonic() + min(patience, START_SECONDS)
        with self._changed:
            while not (self._child or self._down or self._closing()) and time.monotonic() < until:
                if not wanted():
                    raise GivenUp
                self._changed.wait(WANTED_SECONDS)
            child = self._child
        if child:
            return child
        raise ClusterDown(
            self._history.reason or "it did not answer in time", self._history.pause(time.monotonic())
        )

    def _closing(self) -> bool:
        return not self._users

    def _keep(self) -> None:
        """Runs one process after another."""
        while not self._closing():
            death = self._lived()
            with self._changed:
                connected, self._child, self._latest, self._states = self._child is not None, None, None, {}
                if self._closing():
                    return
                self._down = not connected
                pause = self._history.died(time.monotonic(), death, up=0.0, worked=connected)
                log.error("the gateway to the Ray cluster ended: %s; it starts again in %g s", death, pause)
                self._changed.notify_all()
                self._changed.wait_for(self._closing, pause)

    def _lived(self) -> str:
        """Runs one process; returns how it ended."""
        try:
            child = self._start()
        except Exception as unstarted:  # noqa: BLE001 - this thread must try again
            return str(unstarted)
        with self._changed:
            self._latest = child
            if self._closing():
                child.kill(EngineDied("it was closed"))
        child.opened.add_done_callback(partial(self._joined, child))
        death = child.watch()
        failure = child.opened.exception()
        if isinstance(failure, ClusterDown):
            return failure.why
        return death.reason

    def _joined(self, child: ChildProcess, opened: Future[Any]) -> None:
        """Called when the process is connected to the cluster, or could not be."""
        with self._changed:
            if opened.exception() is None:
                self._child, self._down = child, False
            self._changed.notify_all()

    def _watch(self) -> None:
        """Asks how the models are, until the last one has left."""
        told = False
        while True:
            with self._changed:
                if self._changed.wait_for(self._closing, LOOK_SECONDS):
                    return
                child, apps = self._child, tuple(self._users)
            if child is None:
                continue
            try:
                states = child.begin(StatesOf(apps)).result(SILENT_SECONDS)
            except TimeoutError:
                child.kill(EngineStuck(SILENT_SECONDS))
            except EngineError as failure:
                if not told:
                    log.warning("the Ray cluster does not tell how the models are: %s", failure)
                told = True
            else:
                self._states, told = states, False
