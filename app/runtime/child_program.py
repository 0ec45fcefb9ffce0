"""The program of a child process: one loaded engine, and threads that do the work that the server sends.

Law: imports engines, numpy and the pipe, and nothing else of the app. It always ends when the server ends,
and when memory runs out the kernel ends it before the server.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.runtime.child_guard import guard
from app.runtime.child_values import Done, Failure, Loaded
from app.runtime.kept_windows import SentWork, WindowKeeper, feature_threads
from app.runtime.pipe import FrameKind, Pipe
from app.runtime.threads_placement import ThreadsPlacement
from engines.errors import DeviceLost
from engines.heap import QUIET_SECONDS, return_free_memory
from engines.work import Host, Work

log = logging.getLogger("engines")
LOST_STATUS = 75
"""Exit status after the GPU was lost: EX_TEMPFAIL of sysexits.h."""


@dataclass(frozen=True, slots=True)
class Call:
    """One piece of work, and the number of the call that it answers."""

    number: int
    work: Callable[[], Work[object, object]]
    """Returns the work. It blocks until the features of its windows are computed."""


class CallServer:
    """Does the work that arrives in frames, on `calls` threads at the same time."""

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
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(host.calls)]
        for thread in self._threads:
            thread.start()

    def run(self) -> None:
        """Runs until the server closes the pipe or sends `CLOSE`."""
        while (frame := self._pipe.receive()) and frame.kind != FrameKind.CLOSE:
            if frame.kind == FrameKind.DO:
                sent: SentWork = frame.value
                self._calls.put(Call(frame.call, self._windows.work(sent.work)))
                self._windows.forget(sent.forget)
            elif frame.kind == FrameKind.KEEP:
                self._windows.keep(frame.call, frame.value)
            else:
                self._windows.forget(frame.value)
                if not self._sent(frame.call, FrameKind.DONE, Done(None, 0.0)):
                    return

    def close(self) -> None:
        """Lets the running work end, and closes the engine."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
        self._windows.close()
        self._host.close()

    def _serve(self) -> None:
        while call := self._next():
            sent = self._sent(call.number, *self._answer(call))
            del call  # frees the samples of the call
            if not sent:
                return

    def _next(self) -> Call | None:
        """Waits for the next call. Returns None if there will be no more."""
        try:
            return self._calls.get(timeout=self._quiet_seconds)
        except queue.Empty:
            self._give_back()
            return self._calls.get()

    def _sent(self, number: int, kind: FrameKind, value: object) -> bool:
        """Sends a frame. Returns False if the server has ended."""
        try:
            self._pipe.send(number, kind, value)
        except OSError:
            return False  # the server has ended, and this process ends too
        except Exception as error:  # noqa: BLE001 - too large, or it cannot be pickled
            self._pipe.send(number, FrameKind.FAILED, Failure.of(error))
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


def main() -> None:
    """Arguments: the id of the server's process, the number of the inherited socket."""
    guard(int(sys.argv[1]))
    pipe = Pipe(socket.socket(fileno=int(sys.argv[2])))
    order = pipe.receive()
    if order is None:
        return
    try:
        host = ThreadsPlacement(order.value[0]).open(order.value[1])
        facts = Loaded(host.calls, host.looks, host.lengths, host.device)
    except BaseException as error:  # noqa: BLE001 - an engine may raise anything
        pipe.send(order.call, FrameKind.FAILED, Failure.of(error))
        return
    pipe.send(order.call, FrameKind.DONE, facts)
    server = CallServer(pipe, host)
    server.run()
    server.close()


if __name__ == "__main__":
    main()
