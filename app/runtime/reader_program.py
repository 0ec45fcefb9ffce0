"""The program of a reader: a child process that reads uploads, whose decoders may crash.

Law: runs the task that the server names, a step at a time, and knows nothing about that task. The program
ends when the server ends.
"""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import BinaryIO

from app.runtime.child_guard import give_way, guard
from app.runtime.pipe import FrameKind, Pipe
from app.runtime.reader_messages import CloseStream, Ended, OpenStream, ReaderOrder, ReadFailure

STEP_THREADS = 256
"""The threads are started on demand. The server asks for a few steps at a time, but steps of cancelled
uploads may hang until this reader is retired.
"""


class _Reading:
    """One upload that is being read, a step at a time."""

    def __init__(self, order: ReaderOrder, file: BinaryIO, options: object) -> None:
        self._file = file
        self._stop = threading.Event()
        self._items: Iterator[object] = order.task(file, options, self._stop.is_set)
        self._lock = threading.Lock()
        """Held only briefly."""
        self._busy = self._closing = False

    def step(self, skip: int) -> object:
        with self._lock:
            self._busy = True
        try:
            return next(islice(self._items, skip, None), Ended())
        finally:
            with self._lock:
                self._busy = False
                closing = self._closing
            if closing:
                self._close()

    def stop(self) -> None:
        """Tells the running step that the upload is cancelled, so that it ends soon."""
        self._stop.set()

    def close(self) -> None:
        """Closes the upload: at once, or at the end of the running step."""
        with self._lock:
            self._closing = True
            busy = self._busy
        if not busy:
            self._close()

    def _close(self) -> None:
        with suppress(Exception):
            close = getattr(self._items, "close", None)
            if close:
                close()
        with suppress(OSError):
            self._file.close()


class ReadServer:
    """Reads several uploads at the same time, one step of an upload after the other."""

    def __init__(self, pipe: Pipe, files: socket.socket, order: ReaderOrder) -> None:
        self._pipe, self._files, self._order = pipe, files, order
        self._readings: dict[int, _Reading] = {}
        self._threads = ThreadPoolExecutor(STEP_THREADS)

    def run(self) -> None:
        """Runs until the server closes the pipe or sends `CLOSE`."""
        while (frame := self._pipe.receive()) and frame.kind != FrameKind.CLOSE:
            if isinstance(frame.value, CloseStream):
                if reading := self._readings.pop(frame.value.stream, None):
                    reading.stop()
                    self._threads.submit(reading.close)
                continue
            skip = 0
            if isinstance(frame.value, OpenStream):
                skip, opened = frame.value.skip, frame.value
                self._readings[opened.stream] = _Reading(self._order, self._file(opened), opened.options)
            self._threads.submit(self._answer, frame.call, self._readings.get(frame.value.stream), skip)

    def _file(self, value: OpenStream) -> BinaryIO:
        """The upload of a new stream. A large one comes as a file descriptor over the second socket, in the
        order of the `OpenStream` frames on the pipe.
        """
        if value.data is not None:
            return io.BytesIO(value.data)
        _, numbers, _, _ = socket.recv_fds(self._files, 1, 1)
        return os.fdopen(numbers[0], "rb")

    def _answer(self, call: int, reading: _Reading | None, skip: int) -> None:
        try:
            item = reading.step(skip) if reading else Ended()
            kind = FrameKind.DONE
        except BaseException as error:  # noqa: BLE001 - a decoder may raise anything
            item, kind = ReadFailure.of(error), FrameKind.FAILED
        with suppress(OSError):  # the server has ended, and this process ends too
            self._pipe.send(call, kind, item)


def main() -> None:
    """Arguments: the id of the server's process, the numbers of the inherited sockets: frames, files."""
    guard(int(sys.argv[1]))
    pipe, files = (socket.socket(fileno=int(number)) for number in sys.argv[2:4])
    frames = Pipe(pipe)
    first = frames.receive()
    if first is None:
        return
    order: ReaderOrder = first.value
    order.warm()
    give_way()
    frames.send(first.call, FrameKind.DONE, None)
    ReadServer(frames, files, order).run()
    os._exit(0)  # a step may still run in native code


if __name__ == "__main__":
    main()
