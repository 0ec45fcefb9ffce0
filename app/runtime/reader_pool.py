"""Reader processes: uploads are decoded there, so that a crash of a decoder is one request's error.

Law: keeps the processes and lends them; `read_stream.py` reads one upload and decides what a death means
for it.

Theory of operation: a few readers serve all uploads. One whose process ended leaves the pool, and its uploads
go on with others. An upload that was being decoded when its process ended goes on in a reader of its own,
so that it is known whose fault the next death is; once that went well, the reader serves others too. A
reader in which a cancelled step does not end is retired: a new one takes its place at once, and its other
uploads go on in it.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from app.runtime.child_death import death_label
from app.runtime.child_process import ChildProcess
from app.runtime.meters import ChildMeter, Meters
from app.runtime.pipe import FrameKind
from app.runtime.reader_messages import ReaderOrder
from engines.errors import EngineDied, EngineError, EngineStuck

log = logging.getLogger(__name__)
PROGRAM = "app.runtime.reader_program"
STOP_SECONDS = 5.0
"""Seconds after which a cancelled step should have ended."""
NEVER_ENDS = EngineStuck(STOP_SECONDS, "went on with a cancelled upload")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderRules:
    """How many readers there are, and their patience."""

    count: int = 2
    """Readers that run all the time; there are more only after crashes."""
    step_seconds: float = 60.0
    """Seconds after which a step of decoding counts as stuck."""


class ReaderProcess:
    """One reader process, started and watched by a thread of its own."""

    def __init__(
        self, order: ReaderOrder, meter: ChildMeter, changed: Callable[[], None], *, private: bool
    ) -> None:
        """`changed`: called when the process is up and when it has ended. `private`: only one upload uses it,
        until that upload has passed the step at which another reader crashed.
        """
        self.private = private
        self.retired = False
        """Whether the reader gets no further uploads, because a step of a cancelled upload does not end."""
        self.uploads = 0
        self.started: Future[ChildProcess] = Future()
        """The process, once it can decode uploads. Fails with `EngineError` if it cannot be started."""
        self._order, self._meter, self._changed = order, meter, changed
        self._process: ChildProcess | None = None
        self._closing = False
        self._files, self._theirs = socket.socketpair()
        self._sending = threading.Lock()
        threading.Thread(target=self._live, name="reader", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process runs or is being started, as far as is known."""
        if not self.started.done():
            return True
        return not self.started.exception() and self.started.result().alive

    def begin(self, value: object, file: int | None = None) -> Future[object]:
        """Sends a call and returns its future answer. The reader must have started. `file`: descriptor of an
        upload to pass with the call. Raises `EngineDied`.
        """
        process = self.started.result()
        if file is None:
            return process.begin(value)
        with self._sending:  # files arrive in the order of their calls
            try:
                socket.send_fds(self._files, [b"f"], [file])
            except OSError:
                raise EngineDied("it has ended") from None
            return process.begin(value)

    def tell(self, value: object) -> None:
        """Sends a message that has no answer."""
        with suppress(EngineError):
            self.started.result().send(0, FrameKind.DO, value)

    def kill(self, why: EngineDied) -> None:
        """Ends the process at once. Other readers continue its uploads."""
        if self._process:
            self._process.kill(why)

    def close(self) -> None:
        """Ends the process."""
        self._closing = True
        if self._process:
            self._process.close()

    def _live(self) -> None:
        """Starts the process and watches it until it ends."""
        try:
            with self._theirs:
                process = ChildProcess("a reader", PROGRAM, self._order, inherited=[self._theirs.fileno()])
        except BaseException as failure:  # noqa: BLE001 - given to whoever needs the reader
            self._files.close()
            self.started.set_exception(failure)
            return
        self._process = process
        if self._closing:
            process.kill(EngineDied("it was closed"))
        process.opened.add_done_callback(partial(self._up, process))
        death = process.watch()
        with self._sending:  # otherwise another file could get its number while a thread sends
            self._files.close()
        self._changed()
        if not (process.closing or self._closing):
            self._meter.restarted(death_label(death))
            log.error("a reader ended: %s", death.reason)

    def _up(self, process: ChildProcess, opened: Future[object]) -> None:
        if failure := opened.exception():
            self.started.set_exception(failure)
        else:
            self.started.set_result(process)
        self._changed()


class ReaderPool:
    """All reader processes. Any thread may call it."""

    def __init__(self, order: ReaderOrder, rules: ReaderRules, meters: Meters | None = None) -> None:
        self.rules = rules
        self._order = order
        self._meter = (meters or Meters()).child("reader", "cpu")
        self._lock = threading.Lock()
        self._readers: list[ReaderProcess] = []
        """Readers that can take further uploads."""
        self._retired: list[ReaderProcess] = []

    def start(self) -> None:
        """Starts the first reader in the background."""
        self.give_back(self.lend(alone=False))

    def lend(self, *, alone: bool) -> ReaderProcess:
        """A reader for one upload, to be given back at the end. `alone`: no other upload uses the reader."""
        with self._lock:
            self._readers = [reader for reader in self._readers if reader.alive]
            shared = [reader for reader in self._readers if not reader.private]
            least = min(shared, key=lambda reader: reader.uploads, default=None)
            if alone or least is None or (least.uploads and len(shared) < self.rules.count):
                least = ReaderProcess(self._order, self._meter, self._count, private=alone)
                self._readers.append(least)
            least.uploads += 1
        return least

    def give_back(self, reader: ReaderProcess, step: Future[object] | None = None) -> None:
        """Ends the use of a reader for one upload. `step`: its last step, which may still be running although
        nobody waits for it any more.
        """
        if step and not step.done():
            after(STOP_SECONDS, step, partial(self._retire, reader, step))
        with self._lock:
            reader.uploads -= 1
            shared = sum(not other.private for other in self._readers)
            spare = not reader.uploads and (reader.private or shared > self.rules.count)
            if spare and reader in self._readers:
                self._readers.remove(reader)
            hung = reader.retired and not reader.uploads
        if hung:
            reader.kill(NEVER_ENDS)
        elif spare and reader.alive:
            reader.close()

    def _retire(self, reader: ReaderProcess, step: Future[object]) -> None:
        """Called when a cancelled step does not end: the reader gets no further uploads. It is killed when
        its other uploads are done, or after the time that a step may take.
        """
        with self._lock:
            reader.retired = True
            if reader in self._readers:
                self._readers.remove(reader)
                self._retired.append(reader)
            self._retired = [other for other in self._retired if other.alive]
            idle = not reader.uploads
        if idle:
            reader.kill(NEVER_ENDS)
        else:
            after(self.rules.step_seconds, step, partial(reader.kill, NEVER_ENDS))

    def _count(self) -> None:
        with self._lock:
            self._meter.up(sum(reader.alive for reader in (*self._readers, *self._retired)))

    def close(self) -> None:
        with self._lock:
            readers, self._readers, self._retired = [*self._readers, *self._retired], [], []
        for reader in readers:
            reader.close()


def after(seconds: float, step: Future[object], act: Callable[[], None]) -> None:
    """Calls `act` on a thread if the step has not ended after so many seconds."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    step.add_done_callback(lambda _: timer.cancel())
