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
from app.runtime.ray_messages import AppState, StatesOf
from engines.errors import SIGKILL, ClusterDown, EngineDied, EngineError, EngineStuck, GivenUp
from engines.work import always

log = logging.getLogger(__name__)
START_SECONDS = 90.0
WATCH_SECONDS = 1.0
"""Seconds between two requests for the states of the models."""
SILENT_SECONDS = 60.0
"""If the gateway gives no answer for so many seconds, its process is ended."""
GRACE_SECONDS = 5.0
"""The gateway itself gives up when the patience of a question ends; the server waits so
many seconds longer.
"""


class Gateway:
    """The gateway of one server. Its process runs as long as at least one model uses it (see `enter`)."""

    def __init__(self, start: Callable[[], ChildProcess]) -> None:
        """`start`: starts the process; called on the thread that watches it."""
        self._start = start
        self._changed = threading.Condition()
        self._entering = threading.Lock()
        """Held while the process is started or ended, so that the two never run at the same time."""
        self._history = CrashHistory()
        self._users: dict[str, int] = {}
        """Number of users of the gateway for each model."""
        self._child: ChildProcess | None = None
        """The process, once it is connected to the cluster."""
        self._latest: ChildProcess | None = None
        self._states: dict[str, AppState] = {}
        self._heard: dict[str, Callable[[int], None]] = {}
        """For each model: what is told its number of replicas."""
        self._joined_at: float | None = None
        self._answered = False
        """Whether the process has answered a question, so that it is worth starting it again at once."""
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
        """The state of a model, as the gateway last reported it."""
        return self._states.get(app, AppState())

    def loaded(self, app: str, heard: Callable[[int], None]) -> None:
        """Notes that a replica of the model has answered, before the gateway reports it. `heard`: told the
        number of replicas from now on.
        """
        with self._changed:
            self._heard[app] = heard
            self._tell(self._states if self.state(app).replicas else {**self._states, app: AppState(1, "")})

    def enter(self, app: str) -> None:
        """Adds a user for the model `app`; the first user of all starts the process."""
        with self._entering, self._changed:
            self._users[app] = self._users.get(app, 0) + 1
            if not self._threads:
                self._threads = [
                    threading.Thread(target=work, daemon=True) for work in (self._keep, self._watch)
                ]
                for thread in self._threads:
                    thread.start()

    def leave(self, app: str) -> None:
        """Removes a user for the model `app`; the last user of all ends the process. Blocks until it has
        ended.
        """
        with self._entering:
            with self._changed:
                self._users[app] -= 1
                if not self._users[app]:
                    del self._users[app]
                    if heard := self._heard.pop(app, None):
                        heard(0)
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
        """Sends a question and returns the answer. Blocks. Raises `EngineError`: `ClusterDown` if the cluster
        cannot be reached, `EngineDied` if the gateway ended meanwhile, `GivenUp` if the answer is no longer
        needed.
        """
        until = time.monotonic() + patience + GRACE_SECONDS
        child = self._joined_child(patience, wanted)
        try:
            answer = _answer(child, child.begin(question), until, wanted)
        except EngineDied as died:
            if child.alive:
                raise
            # This is not the fault of the work: it may be tried again as often as after a replica that was
            # killed.
            raise EngineDied("the gateway to its cluster ended", signal=SIGKILL) from died
        self._answered = True
        return answer

    def _joined_child(self, patience: float, wanted: Callable[[], bool]) -> ChildProcess:
        """Waits until the process has joined the cluster, and returns it."""
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
        """Starts the process again each time it has ended, until the last user has left."""
        while not self._closing():
            death = self._lived()
            with self._changed:
                joined_at, self._joined_at, self._child, self._latest = self._joined_at, None, None, None
                answered, self._answered = self._answered, False
                self._tell({})
                if self._closing():
                    return
                self._down = joined_at is None
                now = time.monotonic()
                pause = self._history.died(now, death, up=now - (joined_at or now), worked=answered)
                log.error("the gateway to the Ray cluster ended: %s; it starts again in %g s", death, pause)
                self._changed.notify_all()
                self._changed.wait_for(self._closing, pause)

    def _lived(self) -> str:
        """Starts one process and watches it until it ends. Returns how it ended."""
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
                self._child, self._down, self._joined_at = child, False, time.monotonic()
            self._changed.notify_all()

    def _watch(self) -> None:
        """Asks for the states of the models at intervals, until the last user has left."""
        told = False
        while True:
            with self._changed:
                if self._changed.wait_for(self._closing, WATCH_SECONDS):
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
                told = False
                with self._changed:
                    self._tell(states)

    def _tell(self, states: dict[str, AppState]) -> None:
        """Keeps the states of the models, and tells those who want to hear."""
        self._states = states
        for app, heard in self._heard.items():
            heard(self.state(app).replicas)


def _answer(child: ChildProcess, answer: Future[Any], until: float, wanted: Callable[[], bool]) -> Any:
    """Waits for an answer. A call whose answer is no longer needed is dropped from the cluster's queue."""
    while not wait([answer], WANTED_SECONDS).done:
        if not wanted():
            child.drop(answer)
            raise GivenUp
        if time.monotonic() >= until:
            child.drop(answer)
            raise EngineError("The cluster took longer than the request may take.")
    return answer.result()
