"""A child process works while it reads on, runs no more calls at once than its engine takes, and returns the
memory that its work has freed.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence

import pytest

from app.runtime.child_messages import Done
from app.runtime.child_program import CallServer, rest
from app.runtime.pipe import Frame, FrameKind
from app.runtime.windows_sent_ahead import SentWork
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
        self.told: list[int] = []
        """Numbers of the calls that were answered."""

    def receive(self) -> Frame | None:
        return self.asked.get()

    def send(self, call: int, kind: FrameKind, value: object) -> None:
        self.answers.append(value)
        self.told.append(call)


class Busy:
    """An engine whose work ends when the test says so."""

    device, looks, lengths = "cpu", None, LengthClasses(400, 400, 3000)

    def __init__(self, calls: int = 1) -> None:
        self.calls = calls
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


@pytest.mark.slow
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


class Counting(Busy):
    """An engine that counts how many calls run at once."""

    def __init__(self, calls: int) -> None:
        super().__init__(calls)
        self.running = 0
        self.seen: list[int] = []
        self._counting = threading.Lock()

    def do(
        self,
        work: Work[object, object],
        patience: float,
        *,
        alone: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> Sequence[object]:
        with self._counting:
            self.running += 1
            self.seen.append(self.running)
        done = super().do(work, patience, alone=alone, wanted=wanted)
        with self._counting:
            self.running -= 1
        return done


@pytest.mark.parametrize("calls", [1, 2])
def test_calls_beyond_those_of_the_engine_wait_and_pings_are_answered_meanwhile(calls: int) -> None:
    line, engine = Line(), Counting(calls)
    server = CallServer(line, engine, lambda: None)  # type: ignore[arg-type]  # a pipe of a test
    running = threading.Thread(target=server.run)
    running.start()
    for number in range(1, 6):
        line.asked.put(Frame(number, FrameKind.DO, SentWork(Embed((Pcm(tone(1)),)), ())))
    line.asked.put(Frame(0, FrameKind.PING, ()))
    wait_until(lambda: line.told == [0], 20, "the answer to the ping")
    assert engine.seen == [*range(1, calls + 1)]
    engine.go_on.set()
    wait_until(lambda: sorted(line.told) == [*range(6)], 20, "all answers")
    assert max(engine.seen) == calls
    line.asked.put(None)
    running.join(20)
    server.close()


def test_work_that_waits_is_done_after_the_pipe_was_closed_and_before_the_engine_is() -> None:
    line, engine = Line(), Busy()
    server = CallServer(line, engine, lambda: None)  # type: ignore[arg-type]  # a pipe of a test
    running = threading.Thread(target=server.run)
    running.start()
    for number in (1, 2):
        line.asked.put(Frame(number, FrameKind.DO, SentWork(Embed((Pcm(tone(1)),)), ())))
    line.asked.put(None)
    engine.go_on.set()
    running.join(20)
    server.close()
    assert sorted(line.told) == [1, 2]


def test_a_fault_of_a_thread_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    line = Line()
    server = CallServer(line, Busy(), lambda: None)  # type: ignore[arg-type]  # a pipe of a test
    monkeypatch.setattr(server._windows, "work", {}.__getitem__)
    running = threading.Thread(target=server.run)
    running.start()
    line.asked.put(Frame(1, FrameKind.DO, SentWork(Embed((Pcm(tone(1)),)), ())))
    wait_until(lambda: statuses == [70], 20, "the end of the process")
    line.asked.put(None)
    running.join(20)


def test_a_call_that_comes_while_memory_is_given_back_waits_for_it() -> None:
    line, engine = Line(), Counting(1)
    engine.go_on.set()
    resting, go_on = threading.Event(), threading.Event()

    def give_back() -> None:
        resting.set()
        assert go_on.wait(20)

    server = CallServer(line, engine, give_back, quiet_seconds=0.01)  # type: ignore[arg-type]  # a pipe of a test
    running = threading.Thread(target=server.run)
    running.start()
    assert resting.wait(20)
    line.asked.put(Frame(1, FrameKind.DO, SentWork(Embed((Pcm(tone(1)),)), ())))
    line.asked.put(Frame(0, FrameKind.PING, ()))
    wait_until(lambda: line.told == [0], 20, "the answer to the ping")
    assert engine.seen == []
    go_on.set()
    wait_until(lambda: line.told == [0, 1], 20, "the answer to the call")
    line.asked.put(None)
    running.join(20)
    server.close()


class Resting(Busy):
    """An engine that can give memory back, or fails to."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.rests = 0
        self._failure = failure

    def rest(self) -> None:
        self.rests += 1
        if self._failure:
            raise self._failure


def test_an_engine_is_asked_to_give_its_memory_back() -> None:
    engine = Resting()
    rest(engine)
    assert engine.rests == 1


def test_an_engine_that_cannot_give_memory_back_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    rest(Resting(RuntimeError("no")))
    assert "cannot give its memory back" in caplog.text


def test_an_engine_need_not_have_a_rest() -> None:
    rest(Busy())
