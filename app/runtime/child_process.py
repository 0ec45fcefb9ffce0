"""Starts, calls, watches and ends one child process.

Law: knows the process, its socket and its standard error; `process_host.py` and `reader_pool.py` decide when
it is started again. The child is a new program and is never forked: locks, threads and CUDA do not survive a
fork.

Theory of operation: the thread that starts a child also receives from it until the end of the stream, and so
notices its death. `PR_SET_PDEATHSIG` ends a child when the thread that started it ends, so this thread must
live as long as the child.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import IO, Any

from app.runtime.child_death import death, oom_kills
from app.runtime.pipe import SEND_SECONDS, Frame, FrameKind, FrameTooLarge, Pipe
from app.runtime.resident_memory import ResidentMemory
from app.runtime.shared_buffer import SharedBuffer
from engines.errors import EngineDied, EngineError, EngineStuck, GivenUp
from engines.work import always

log = logging.getLogger(__name__)
LAST_LINES = 30
LINE_BYTES = 2000
WANTED_SECONDS = 0.1
"""Seconds between two checks whether an answer is still needed."""
GOODBYE_SECONDS = 5.0
"""Seconds that a child has for ending by itself before it is killed."""
HARMLESS = ("Fatal Python error", "terminate called", "free()", "malloc", "double free", "corrupted", "CUDA")
"""Error messages with these beginnings may be shown to clients; all others are only logged."""


class ChildProcess:
    """A child process that runs one of our programs. The thread that creates it must also call `watch`."""

    _ended: EngineDied | None = None
    _why: EngineDied | None = None

    def __init__(
        self,
        name: str,
        program: str,
        first: object,
        *,
        variables: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
        shared: SharedBuffer | None = None,
    ) -> None:
        """`program`: module to run. `first`: the first message to it. `variables`: environment variables for
        it in addition to the server's. `inherited`: descriptors that it inherits. `shared`: memory for what
        is sent to it. Raises `EngineError` if no process can be started.
        """
        self.name = name
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._blame = self._closing = False
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self.opened: Future[Any] = Future()
        """The answer to `first`. Fails with `EngineError`."""
        self._pending: dict[int, Future[Any]] = {0: self.opened}
        self._oom_kills = oom_kills()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = _started(program, [theirs.fileno(), *inherited], ours, variables or {})
        self._memory = ResidentMemory(self._process.pid)
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        self._pipe = Pipe(ours, outgoing=shared)
        self.send(0, FrameKind.OPEN, first)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def closing(self) -> bool:
        """Whether the process was asked to end."""
        return self._closing

    @property
    def alive(self) -> bool:
        """Whether the process runs and may go on, as far as is known."""
        return self._ended is None and self._why is None

    @property
    def memory(self) -> int:
        """Resident memory of the process in bytes; 0 if the system does not report it."""
        return self._memory.read()

    def begin(self, value: object) -> Future[Any]:
        """Sends a call and returns its future answer. Raises `EngineDied` if the process has ended."""
        future: Future[Any] = Future()
        with self._lock:
            if self._ended:
                raise self._ended.fresh()
            number = next(self._numbers)
            self._pending[number] = future
        self.send(number, FrameKind.DO, value)
        return future

    def ask(self, value: object, seconds: float, wanted: Callable[[], bool] = always) -> Any:
        """Sends a call and waits for its answer. Raises `EngineError`: `EngineStuck` after so many seconds,
        `EngineDied` if the process ended, `GivenUp` if `wanted` says that the answer is no longer needed.
        """
        answer = self.begin(value)
        until = time.monotonic() + seconds
        while True:
            with suppress(TimeoutError):
                return answer.result(min(max(0.0, until - time.monotonic()), WANTED_SECONDS))
            if not wanted():
                raise GivenUp
            if time.monotonic() >= until:
                stuck = EngineStuck(seconds)
                self.kill(stuck)
                raise stuck

    def drop(self, answer: Future[Any]) -> None:
        """Tells the process that an answer of `begin` is no longer needed. Raises `EngineError`."""
        with self._lock:
            numbers = [number for number, future in self._pending.items() if future is answer]
        for number in numbers:
            self._forget(number)
            self.send(number, FrameKind.DROP, None)

    def heard(self) -> None:
        """Called for each answer; subclasses may use it."""

    def watch(self) -> EngineDied:
        """Delivers results until the process ends. Returns how it ended; all pending calls fail with that."""
        try:
            while frame := self._pipe.receive():
                self._deliver(frame)
        except Exception:
            log.exception("the answers of %s cannot be read", self.name)
        return self._buried()

    def _deliver(self, frame: Frame) -> None:
        self.heard()
        with self._lock:
            future = self._pending.pop(frame.call, None)
        if future is None:
            return
        if frame.kind == FrameKind.FAILED:
            future.set_exception(frame.value.rebuilt())
        else:
            future.set_result(frame.value)

    def kill(self, why: EngineDied, *, blame: bool = False) -> None:
        """Kills the process. `why`: the reason, which `watch` returns. `blame`: whether the pending calls may
        have caused it; if not, they fail as if the process had been killed from outside.
        """
        self._why = self._why or why
        self._blame = blame
        with suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """Asks the process to end, and ends it after `GOODBYE_SECONDS`; `watch` sees the end."""
        self._closing = True
        self._why = self._why or EngineDied("it was closed")
        reads = self.offer(0, FrameKind.CLOSE, None)
        try:
            self._process.wait(GOODBYE_SECONDS if reads else 0)
        except subprocess.TimeoutExpired:
            log.warning("the process of %s did not end by itself", self.name)
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """The first line of its standard error that names the cause and that clients may see."""
        self._listener.join(0.5)
        return next((line[:120] for line in list(self._lines) if line.startswith(HARMLESS)), "")

    def send(self, number: int, kind: FrameKind, value: object) -> None:
        """Sends a frame without waiting for an answer. Raises `EngineError`."""
        self._tried(self._pipe.send, number, kind, value)

    def offer(self, number: int, kind: FrameKind, value: object) -> bool:
        """Sends a frame, unless sending would have to wait for the process. Returns whether it was sent, as
        far as is known. Raises `EngineError`.
        """
        return self._tried(self._pipe.offer, number, kind, value) is not False

    def _tried(
        self, send: Callable[[int, FrameKind, object], int], number: int, kind: FrameKind, value: object
    ) -> int:
        try:
            return send(number, kind, value)
        except FrameTooLarge:
            self._forget(number)
            raise EngineError("This is too much audio for one piece of work.") from None
        except BlockingIOError:  # the child does not read
            self.kill(EngineStuck(SEND_SECONDS))
        except OSError:
            pass  # the child has ended: `watch` fails the pending calls
        except Exception:
            self._forget(number)
            raise
        return 0

    def _forget(self, number: int) -> None:
        with self._lock:
            self._pending.pop(number, None)

    def _buried(self) -> EngineDied:
        if self._process.poll() is None and self._why is None:
            # The stream has ended or was not valid, so no further results can arrive.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            self._process.kill()
        died = death(self._process.wait(), None if self._why else self._oom_kills)
        if self._blame and self._why:
            died = self._why
        with self._lock:
            self._ended = died
            pending, self._pending = list(self._pending.values()), {}
        for future in pending:
            future.set_exception(died.fresh())
        self._memory.close()
        self._pipe.close()
        return self._why or died

    def _listen(self, stderr: IO[bytes] | None) -> None:
        """Copies the lines of the process's standard error into the log. A line that is too long is cut."""
        assert stderr
        with stderr:
            while line := stderr.readline(LINE_BYTES):
                text = line.decode(errors="replace").rstrip()
                if text:
                    self._lines.append(text)
                    log.warning("process of %s: %s", self.name, text)


def _started(
    program: str, numbers: Sequence[int], ours: socket.socket, variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")}
    environment.update(variables)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", program, str(os.getpid()), *map(str, numbers)]
    try:
        return subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=numbers,
            env=environment,
            process_group=0,  # Ctrl-C in a terminal is meant for the server
        )
    except OSError as failure:
        ours.close()
        raise EngineError(f"No process can be started: {failure.strerror}.") from failure
