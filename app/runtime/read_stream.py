"""One upload, read in a reader process.

Law: asks for one item at a time, and goes on elsewhere when the process ends: the task gives the same items
again, so those that were given already are skipped. An upload whose decoder crashed twice, the second time
alone, is not read.
"""

from __future__ import annotations

import io
import itertools
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import BinaryIO, TypeVar

from app.errors import InternalError, NotAudio, RequestTimedOut
from app.runtime.reader_messages import CloseStream, NextItem, OpenStream
from app.runtime.reader_pool import ReaderPool, ReaderProcess
from engines.errors import EngineDied, EngineError, EngineStuck

log = logging.getLogger(__name__)
Item = TypeVar("Item")
START_SECONDS = 60.0
"""Seconds after which the start of a reader counts as stuck."""
INLINE_BYTES = 2 << 20
"""An upload of up to so many bytes is sent in the call itself; a larger one is passed as a file descriptor.
"""
MOST_CRASHES = 2
"""Crashes of readers at one step until the upload is refused. After the first one it gets a reader of its
own, so that a second crash can only be its fault.
"""
MOST_KILLS = 12
"""Readers that the system may kill (for example for lack of memory) at one step until the upload is refused.
"""
MOST_STEPS_AT_ONCE = 10
"""A reader that skips items that were given before may take the time of as many steps as it skips, but of at
most so many. When a reader ends, all uploads that it decoded are begun again, at the same time.
"""
POLL_SECONDS = 0.1
"""Seconds between two checks whether the request was cancelled."""
END_SECONDS = 5.0
"""The most seconds to wait until a killed process has ended."""
_numbers = itertools.count(1)


class ReadStream:
    """One upload that a reader process decodes. Call `next_item` on one thread at a time, and `close` at the
    end.
    """

    def __init__(
        self, pool: ReaderPool, file: BinaryIO, options: object, cancelled: Callable[[], bool]
    ) -> None:
        self._pool, self._options, self._cancelled = pool, options, cancelled
        self._data, self._file = _upload(file)
        self._reader: ReaderProcess | None = None
        self._step: Future[object] | None = None
        """The answer to the last call; None before the first one."""
        self._number = 0
        self._given = 0
        self._steps = 1
        """Steps that the last call asked for, with those that are skipped."""
        self._crashes = self._kills = self._false_starts = 0

    def next_item(self) -> object:
        """The next item, or `Ended`. Raises `ApiError`, also what the task raised."""
        while True:
            reader = self._reader or self._lent()
            if reader is None:
                continue
            try:
                self._step = step = self._asked(reader)
            except EngineDied as death:  # it ended while this upload was not being decoded
                self._leave()
                self._count_start(death)
                continue
            try:
                seconds = self._pool.rules.step_seconds * self._steps
                item = self._awaited(reader, step, seconds, "did not answer")
            except EngineDied as death:
                self._leave()
                self._count(death)
                continue
            reader.private = False
            self._given += 1
            self._crashes = self._kills = self._false_starts = 0  # this step is not to blame
            return item

    def close(self) -> None:
        """Ends the reading; the upload itself stays open."""
        reader, number = self._reader, self._number
        if reader is None:
            return
        if number and reader.alive:
            reader.tell(CloseStream(number))
        self._leave()

    def _lent(self) -> ReaderProcess | None:
        """Gets a reader from the pool and waits until it has started. Returns None if it
        ended before that.
        """
        self._number = 0
        self._reader = reader = self._pool.lend(alone=self._crashes > 0)
        try:
            self._awaited(reader, reader.started, START_SECONDS, "was starting")
        except EngineError as failure:
            self._leave()
            self._count_start(failure)
            return None
        return reader

    def _asked(self, reader: ReaderProcess) -> Future[object]:
        """Asks for the next item. A reader that does not have the upload yet is given it, and skips the items
        that were given before.
        """
        self._steps = 1
        if self._number:
            return reader.begin(NextItem(self._number))
        self._number, self._steps = next(_numbers), min(1 + self._given, MOST_STEPS_AT_ONCE)
        call = OpenStream(self._number, self._data, self._options, self._given)
        return reader.begin(call, None if self._file is None else self._file.fileno())

    def _awaited(self, reader: ReaderProcess, answer: Future[Item], seconds: float, what: str) -> Item:
        """Waits for an answer; after so many seconds it kills the reader. `what`: what the reader was doing,
        for the error message.
        """
        began = time.monotonic()
        while not wait([answer], POLL_SECONDS).done:
            if self._cancelled():
                raise RequestTimedOut
            if time.monotonic() - began > seconds:
                stuck = EngineStuck(seconds, what)
                reader.kill(stuck)
                wait([answer], END_SECONDS)
                raise stuck
        return answer.result()

    def _leave(self) -> None:
        if self._reader:
            self._pool.give_back(self._reader, self._step)
        self._reader = self._step = None

    def _count(self, death: EngineDied) -> None:
        """Counts the end of a reader that was decoding this upload."""
        self._kills += death.killed
        self._crashes += not death.killed
        if self._crashes >= MOST_CRASHES or self._kills >= MOST_KILLS:
            raise NotAudio(
                "Audio file might be corrupted or unsupported: the program that decodes it crashed at it."
            )

    def _count_start(self, failure: EngineError) -> None:
        """Counts the end of a reader that was not decoding this upload, which is not to blame."""
        killed = isinstance(failure, EngineDied) and failure.killed
        self._kills += killed
        self._false_starts += not killed
        if self._false_starts >= MOST_CRASHES or self._kills >= MOST_KILLS:
            log.error("a reader cannot be started: %s", failure)
            raise InternalError from failure


def _upload(file: BinaryIO) -> tuple[bytes | None, BinaryIO | None]:
    """The bytes of an upload, if it is small or has no file descriptor; else its file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > INLINE_BYTES:
        try:
            file.fileno()
        except (OSError, io.UnsupportedOperation):
            pass
        else:
            return None, file
    return file.read(), None
