"""A child process that has nothing to do returns the memory that its work has freed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from app.runtime.child_program import CallServer
from app.runtime.child_values import Done
from app.runtime.kept_windows import SentWork
from app.runtime.pipe import Frame, FrameKind
from engines.types import Pcm, Window
from engines.work import Embed, LengthClasses, Work, always
from tests.support.sound import tone
from tests.support.waiting import keeps, wait_until

QUIET = 0.05


class Line:
    """A pipe whose other end is the test."""

    def __init__(self) -> None:
        self.asked: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self.answers: list[object] = []

    def receive(self) -> Frame | None:
        return self.asked.get()

    def send(self, call: int, kind: FrameKind, value: object) -> None:
        self.answers.append(value)


class Busy:
    """An engine whose work ends when the test says so."""

    calls, device, looks, lengths = 1, "cpu", None, LengthClasses(400, 400, 3000)

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def prepare(self, window: Window) -> Window:
        return window

    def do(
        self,
        work: Work[object, object],
        patience: float,
        *,
        alone: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> Sequence[object]:
        assert self.go_on.wait(20)
        return ["done"]

    def close(self) -> None:
        """Has nothing to free."""


def test_memory_is_given_back_once_after_work_and_not_during_it() -> None:
    line, engine, times = Line(), Busy(), list[bool]()
    server = CallServer(line, engine, lambda: times.append(True), quiet_seconds=QUIET)  # type: ignore[arg-type]  # a pipe of a test
    running = threading.Thread(target=server.run)
    running.start()
    wait_until(lambda: len(times) == 1, 20, "what loading has freed")
    line.asked.put(Frame(1, FrameKind.DO, SentWork(Embed((Pcm(tone(1)),)), ())))
    keeps(lambda: len(times) == 1, 5 * QUIET)
    engine.go_on.set()
    wait_until(lambda: len(times) == 2, 20, "what the work has freed")
    assert isinstance(line.answers[0], Done)
    keeps(lambda: len(times) == 2, 5 * QUIET)
    line.asked.put(None)
    running.join(20)
    server.close()
