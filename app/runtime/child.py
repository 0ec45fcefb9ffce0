"""The program of a child process: one loaded engine, and threads that do the work that the server sends.

Law: imports engines, numpy and the pipe, and nothing else of the app. It always ends when the server ends,
and when memory runs out the kernel ends it before the server.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from app.runtime.child_values import Done, Failure, Loaded
from app.runtime.in_process import InProcess
from app.runtime.pipe import Frame, FrameKind, Pipe
from engines.work import Host

log = logging.getLogger("engines")
PR_SET_PDEATHSIG = 1
OOM_SCORE = 500
"""Value of `oom_score_adj`: when memory runs out, the kernel ends the child before the server."""


class CallServer:
    """Does the work of the frames: `calls` works in parallel, and the features of one window at the same
    time.
    """

    def __init__(self, pipe: Pipe, host: Host) -> None:
        self._pipe = pipe
        self._host = host
        self._works: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._windows: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._threads = [self._thread(self._works) for _ in range(host.calls)]
        self._threads.append(self._thread(self._windows))

    def run(self) -> None:
        """Runs until the server closes the pipe or sends `CLOSE`."""
        while frame := self._pipe.receive():
            if frame.kind == FrameKind.CLOSE:
                break
            (self._windows if frame.kind == FrameKind.PREPARE else self._works).put(frame)

    def close(self) -> None:
        """Lets the running works end and closes the engine."""
        for _ in self._threads[:-1]:
            self._works.put(None)
        self._windows.put(None)
        for thread in self._threads:
            thread.join()
        self._host.close()

    def _thread(self, frames: queue.SimpleQueue[Frame | None]) -> threading.Thread:
        thread = threading.Thread(target=self._serve, args=(frames,), daemon=True)
        thread.start()
        return thread

    def _serve(self, frames: queue.SimpleQueue[Frame | None]) -> None:
        while frame := frames.get():
            try:
                self._pipe.send(frame.call, *self._answer(frame))
            except OSError:
                return  # the server has ended, and this process ends too
            except Exception as error:  # noqa: BLE001 - too large, or it cannot be pickled
                self._pipe.send(frame.call, FrameKind.FAILED, Failure.of(error))

    def _answer(self, frame: Frame) -> tuple[FrameKind, object]:
        began = time.monotonic()
        try:
            if frame.kind == FrameKind.PREPARE:
                value: object = self._host.prepare(frame.value)
            else:
                value = list(self._host.do(frame.value, float("inf")))
        except BaseException as error:  # noqa: BLE001 - an engine may raise anything
            return FrameKind.FAILED, Failure.of(error)
        return FrameKind.DONE, Done(value, time.monotonic() - began)


def main() -> None:
    """Arguments: the number of the inherited socket, the id of the server's process."""
    guard(int(sys.argv[2]))
    pipe = Pipe(socket.socket(fileno=int(sys.argv[1])))
    order = pipe.receive()
    if order is None:
        return
    try:
        host = InProcess(order.value[0]).open(order.value[1])
        facts = Loaded(host.calls, host.looks, host.lengths)
    except BaseException as error:  # noqa: BLE001 - an engine may raise anything
        pipe.send(order.call, FrameKind.FAILED, Failure.of(error))
        return
    pipe.send(order.call, FrameKind.DONE, facts)
    server = CallServer(pipe, host)
    server.run()
    server.close()


def guard(parent: int) -> None:
    """Makes the process end with the server and before the server if memory runs out, and print its stack if
    native code crashes.
    """
    faulthandler.enable()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    # Ctrl-C and SIGTERM are meant for the server, which ends its children itself.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    if os.getppid() != parent:  # the server ended before the line above
        sys.exit(1)


if __name__ == "__main__":
    main()
