"""A child process that loads one engine.

Law: the calls of that process and its signs of life; `process_host.py` decides when it is started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress

from app.runtime.child_messages import Done, Loaded
from app.runtime.child_process import ChildProcess
from app.runtime.pipe import FrameKind
from app.runtime.shared_buffer import shared_with_child
from app.runtime.windows_sent_ahead import SentWork, WindowBook
from engines.catalog import EngineFinder
from engines.errors import EngineError
from engines.types import Window
from engines.work import Order, Work, always

PROGRAM = "app.runtime.child_program"


class Child(ChildProcess):
    """A child process that runs one engine. The thread that creates it must also call `watch`."""

    def __init__(
        self,
        name: str,
        finder: EngineFinder,
        order: Order,
        variables: Mapping[str, str] | None = None,
        *,
        kept_seconds: float = 180.0,
    ) -> None:
        """`variables`: environment variables in addition to the server's. `kept_seconds`: windows that
        wait are sent to the process until it has so many seconds of sound. Raises `EngineError` if no process
        can be started.
        """
        self._windows = WindowBook(kept_seconds)
        self._asked_at: float | None = None
        """Time of the oldest ping that has no answer yet; None if all have one."""
        with shared_with_child() as shared:
            inherited = [shared.file] if shared else []
            super().__init__(
                name, PROGRAM, (finder, order), variables=variables, inherited=inherited, shared=shared
            )

    @property
    def loaded(self) -> Future[Loaded]:
        """The facts about the loaded engine, once it is loaded. Fails with `EngineError`."""
        return self.opened

    def keep(self, window: Window) -> Window:
        """Sends a window to the process early, so that its features are computed while it waits for its turn.
        Returns the window that `do` must be given. Does not wait if the process does not read. Raises
        `EngineError`.
        """
        if self._windows.full:
            return window
        number = next(self._numbers)
        return self._windows.sent(window, number) if self.offer(number, FrameKind.KEEP, window) else window

    def ping(self) -> float:
        """Sends a ping. Returns the age in seconds of the oldest ping without an answer; 0 if all were
        answered.
        """
        with suppress(EngineError):
            now = time.monotonic()
            self._asked_at = self._asked_at or now
            self.send(0, FrameKind.PING, self._windows.unneeded())
        return self.unanswered

    @property
    def unanswered(self) -> float:
        """Seconds since the oldest ping that has no answer yet."""
        asked = self._asked_at
        return time.monotonic() - asked if asked else 0.0

    def do(self, work: Work[object, object], seconds: float, wanted: Callable[[], bool] = always) -> Done:
        """Sends work and waits for its result. Raises the same errors as `ask`."""
        sent = SentWork(self._windows.work(work), self._windows.unneeded())
        done: Done = self.ask(sent, seconds, wanted)
        return done

    def heard(self) -> None:
        self._asked_at = None
