"""Windows that a process has before it works on them, so that each is sent once and its features are computed
while it waits.

Law: importable at both ends. The server keeps the whole window as well: another process may have to do the
work.

Theory of operation: the server sends a window under a number and works on with a `SentWindow`.
In the work that is sent later, that row is a `KeptRow`. When the server's last reference to a `SentWindow` is
gone, its number is told with the next frame, and the process forgets the window.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from engines.types import Window
from engines.work import Work

Result = TypeVar("Result")
BATCHES_KEPT = 3
"""Full batches of which a process keeps the windows: two that run, and the next one. Half a minute of sound
has 3 MB with its features. Further ones are sent with their work, and their features are computed then."""
FEATURE_THREADS = 2
"""Threads of a process that compute features, beside an engine on the CPU."""
MOST_FEATURE_THREADS = 16
"""The most threads that compute features beside an engine on a GPU, which would otherwise wait for
features.
"""


def feature_threads(device: str) -> int:
    """Number of threads that compute features in the process of an engine on `cpu` or `cuda`."""
    if device == "cpu":
        return FEATURE_THREADS
    return max(FEATURE_THREADS, min(MOST_FEATURE_THREADS, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class KeptRow:
    """Stands for a window that the process already has: only its number is sent."""

    number: int


@dataclass(frozen=True, slots=True)
class SentWork:
    """What the server sends with a call: the work, and windows that are no longer needed."""

    work: Work[object, object]
    forget: tuple[int, ...] = ()


class _Claim:
    """A reference to a window. The server needs the window as long as this object lives."""

    def __init__(self, number: int, seconds: float, unneeded: deque[tuple[int, float]]) -> None:
        self.number = number
        self._seconds = seconds
        self._unneeded = unneeded

    def __del__(self) -> None:
        self._unneeded.append((self.number, self._seconds))


@dataclass(frozen=True, slots=True, eq=False)
class SentWindow(Window):
    """A window that was already sent to a process."""

    claim: _Claim | None = None
    owner: object = None
    """The `WindowBook` of the process that has the window."""


class WindowBook:
    """The server's record of the windows that one process keeps. Any thread may call it."""

    def __init__(self, most: float) -> None:
        """`most`: seconds of sound from which on the process is given no further window."""
        self._most = most
        self._unneeded: deque[tuple[int, float]] = deque()
        """Numbers and seconds of windows that the process has not been told to drop."""
        self._lock = threading.Lock()
        self._kept = 0.0

    @property
    def full(self) -> bool:
        """Whether the process keeps as much sound as it may."""
        return self._kept >= self._most

    def sent(self, window: Window, number: int) -> SentWindow:
        """The window, marked as sent under `number`."""
        with self._lock:
            self._kept += window.pcm.seconds
        facts = {field.name: getattr(window, field.name) for field in fields(Window)}
        return SentWindow(**facts, claim=_Claim(number, window.pcm.seconds, self._unneeded), owner=self)

    def unneeded(self) -> tuple[int, ...]:
        """Numbers of the windows that nobody needs any more and that the process has not
        been told to drop.
        """
        told: list[int] = []
        with self._lock:
            while self._unneeded:
                number, seconds = self._unneeded.popleft()
                told.append(number)
                self._kept -= seconds
        return tuple(told)

    def work(self, work: Work[object, Result]) -> Work[object, Result]:
        """The work as it is sent to the process: windows that the process has are
        replaced by their numbers.
        """
        if not any(isinstance(row, SentWindow) for row in work.rows):
            return work
        return replace(work, rows=tuple(self._row(row) for row in work.rows))

    def _row(self, row: object) -> object:
        if not isinstance(row, SentWindow):
            return row
        if row.owner is self and row.claim:
            return KeptRow(row.claim.number)
        return Window(**{field.name: getattr(row, field.name) for field in fields(Window)})


class WindowKeeper:
    """The windows that this process keeps. `keep` and `work` are called on one thread, in the order of the
    frames.
    """

    def __init__(self, prepare: Callable[[Window], Window], threads: int = FEATURE_THREADS) -> None:
        self._prepare = prepare
        self._windows: dict[int, Future[Window]] = {}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="features")

    def keep(self, number: int, window: Window) -> None:
        """Keeps a window, and computes its features on a thread."""
        self._windows[number] = self._threads.submit(self._prepared, window)

    def forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if window := self._windows.pop(number, None):
                window.cancel()

    def work(self, work: Work[object, Result]) -> Callable[[], Work[object, Result]]:
        """A function that waits for the features and returns the work with its windows. Any thread may call
        it.
        """
        rows = [self._windows[row.number] if isinstance(row, KeptRow) else row for row in work.rows]
        return lambda: replace(work, rows=_awaited(rows))

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _prepared(self, window: Window) -> Window:
        try:
            return self._prepare(window)
        except Exception:  # noqa: BLE001 - the work itself will fail in the same way, for its own request
            return window


def _awaited(rows: Sequence[object]) -> tuple[object, ...]:
    return tuple(row.result() if isinstance(row, Future) else row for row in rows)
