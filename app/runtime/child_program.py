"""The program of a child process: one loaded engine, and threads that do the work that the server sends.

Law: imports engines, numpy and the pipe, and nothing else of the app. It always ends when the server ends,
and when memory runs out the kernel ends it before the server.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.runtime.child_guard import give_way, guard
from app.runtime.child_messages import Done, Failure, Loaded
from app.runtime.pipe import FrameKind, Pipe
from app.runtime.threads_placement import ThreadsPlacement
from app.runtime.windows_sent_ahead import SentWork, WindowKeeper, feature_threads
from engines.errors import DeviceLost
from engines.heap import QUIET_SECONDS, is_of_one_model, return_free_memory
from engines.work import Host, Work

log = logging.getLogger("engines")
LOST_STATUS = 75
"""Exit status after the GPU was lost: EX_TEMPFAIL of sysexits.h."""
FAILED_STATUS = 70
"""Exit status after a fault of this program: EX_SOFTWARE."""


@dataclass(frozen=True, slots=True)
class Call:
    """One piece of work, and the number of the call that it answers."""

    number: int
    work: Callable[[], Work[object, object]]
    """Returns the work. It blocks until the features of its windows are computed."""


class CallServer:
    """Does the work that arrives in frames, at most `calls` pieces at the same time.

    One thread reads frames. When it has read work, it does that work itself and another thread reads on,
    because waking a thread would take longer than some answers (leader and followers: Schmidt and others,
    Pattern-Oriented Software Architecture, volume 2, 2000).
    """

    def __init__(
        self,
        pipe: Pipe,
        host: Host,
        give_back: Callable[[], None] = return_free_memory,
        *,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        """`give_back`: called once after each period of work, when no thread had work for `quiet_seconds`."""
        self._pipe = pipe
        self._host = host
        self._give_back = give_back
        self._quiet_seconds = quiet_seconds
        self._windows = WindowKeeper(host.prepare, feature_threads(host.device))
        self._reading = threading.Lock()
        self._changing = threading.Lock()
        self._waiting: deque[Call] = deque()
        """Calls that were read while `calls` others were running."""
        self._running = 0
        self._ended = False
        self._worked_at: float | None = time.monotonic()
        """When the last work ended, loading included; None once its memory was given back."""
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(host.calls)]

    def run(self) -> None:
        """Runs until the server closes the pipe or sends `CLOSE`."""
        for thread in self._threads:
            thread.start()
        self._serve()

    def close(self) -> None:
        """Lets the running work end, and closes the engine."""
        for thread in self._threads:
            thread.join()
        self._windows.close()
        self._host.close()

    def _serve(self) -> None:
        try:
            while call := self._next():
                while call:
                    sent = self._sent(call.number, *self._answer(call))
                    call = self._after() if sent else None
        except BaseException:
            log.exception("a thread of this process failed")
            os._exit(FAILED_STATUS)  # the server starts another process; this one might answer no more

    def _next(self) -> Call | None:
        """Reads frames until there is work for this thread. Returns None when there will be no more."""
        while not self._reading.acquire(timeout=self._quiet_seconds):
            if call := self._rest():
                return call
        try:
            while not self._ended:
                call = self._read()
                if call and self._begins(call):
                    return call
                call = None  # frees its samples while the next frame is awaited
            return None
        finally:
            self._reading.release()

    def _read(self) -> Call | None:
        """Reads one frame. Returns the call, if it is one."""
        frame = self._pipe.receive()
        if frame is None or frame.kind == FrameKind.CLOSE:
            self._ended = True
        elif frame.kind == FrameKind.DO:
            sent: SentWork = frame.value
            call = Call(frame.call, self._windows.work(sent.work))
            self._windows.forget(sent.forget)
            return call
        elif frame.kind == FrameKind.KEEP:
            self._windows.keep(frame.call, frame.value)
        else:
            self._windows.forget(frame.value)
            self._sent(frame.call, FrameKind.DONE, Done(None, 0.0))
        return None

    def _begins(self, call: Call) -> bool:
        """Whether the call may run now. If not, it waits for the next thread that is free."""
        with self._changing:
            if self._running < self._host.calls:
                self._running += 1
                return True
            self._waiting.append(call)
            return False

    def _after(self) -> Call | None:
        """Called when a call has ended: the call that this thread does next, if one waits."""
        with self._changing:
            if self._waiting:
                return self._waiting.popleft()
            self._running -= 1
            self._worked_at = time.monotonic()
            return None

    def _rest(self) -> Call | None:
        """Gives memory back, if there was no work for some time. It counts as a call, because an engine that
        does one call at a time does not do this beside it. Returns the call that came meanwhile.
        """
        with self._changing:
            ended = self._worked_at
            if self._running or ended is None or time.monotonic() - ended < self._quiet_seconds:
                return None
            self._worked_at = None
            self._running += 1
        self._give_back()
        with self._changing:
            if self._waiting:
                return self._waiting.popleft()
            self._running -= 1
            return None

    def _sent(self, number: int, kind: FrameKind, value: object) -> bool:
        """Sends a frame. Returns False if the server has ended."""
        try:
            try:
                self._pipe.send(number, kind, value)
            except OSError:
                raise
            except Exception as error:  # noqa: BLE001 - too large, or it cannot be pickled
                self._pipe.send(number, FrameKind.FAILED, Failure.of(error))
        except OSError:  # the server has ended or does not read, and this process ends too
            self._ended = True
            self._pipe.close()
            return False
        return True

    def _answer(self, call: Call) -> tuple[FrameKind, object]:
        try:
            work = call.work()
            began = time.monotonic()
            value = list(self._host.do(work, float("inf")))
        except DeviceLost as error:
            sys.stderr.write(f"{error.__cause__}\n")
            sys.stderr.flush()
            os._exit(LOST_STATUS)  # only another process can use the GPU
        except BaseException as error:  # noqa: BLE001 - an engine may raise anything
            return FrameKind.FAILED, Failure.of(error)
        return FrameKind.DONE, Done(value, time.monotonic() - began)


def rest(host: object) -> None:
    """Returns memory to the operating system: first the engine's caches, then what the C library holds."""
    engine_rest: Callable[[], None] | None = getattr(host, "rest", None)
    if engine_rest:
        try:
            engine_rest()
        except Exception:
            log.exception("an engine cannot give its memory back")
    return_free_memory()


def main() -> None:
    """Arguments: the id of the server's process, the descriptors of the socket and of the shared memory."""
    guard(int(sys.argv[1]))
    is_of_one_model()
    pipe = Pipe.inherited(*map(int, sys.argv[2:]))
    order = pipe.receive()
    if order is None:
        return
    try:
        host = ThreadsPlacement(order.value[0]).open(order.value[1])
        facts = Loaded(host.calls, host.looks, host.lengths, host.device)
    except BaseException as error:  # noqa: BLE001 - an engine may raise anything
        pipe.send(order.call, FrameKind.FAILED, Failure.of(error))
        return
    give_way()
    pipe.send(order.call, FrameKind.DONE, facts)
    server = CallServer(pipe, host, partial(rest, host))
    server.run()
    server.close()


if __name__ == "__main__":
    main()
