"""One upload, read in a reader process.

Law: asks for one item at a time, and goes on elsewhere when the process ends: the task gives the same items
again, so those that were given already are skipped. An upload whose decoder crashed twice, the second time
alone, is not read.
"""

from __future__ import annotations

import io
import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import BinaryIO

from app.errors import NotAudio, RequestTimedOut
from app.runtime.reader_pool import ReaderPool, ReaderProcess
from app.runtime.reader_values import CloseStream, NextItem, OpenStream
from engines.errors import EngineDied, EngineStuck

INLINE_BYTES = 2 << 20
"""An upload of up to so many bytes travels with the call; of a larger one, the file does."""
MOST_CRASHES = 2
MOST_KILLS = 12
"""Readers that may be killed from outside while they read one upload."""
POLL_SECONDS = 0.1
"""Seconds between two looks whether the request was cancelled."""
END_SECONDS = 5.0
"""Seconds until the end of a process that was killed is known, at most."""
_numbers = itertools.count(1)


class ReadStream:
    """Call `next_item` on one thread at a time, and `close` at the end."""

    def __init__(
        self, pool: ReaderPool, file: BinaryIO, options: object, cancelled: Callable[[], bool]
    ) -> None:
        self._pool, self._options, self._cancelled = pool, options, cancelled
        self._data, self._file = _upload(file)
        self._reader: ReaderProcess | None = None
        self._number = 0
        self._given = 0
        self._crashes = self._kills = 0

    def next_item(self) -> object:
        """The next item, or `Ended`. Raises `ApiError`, also what the task raised."""
        while True:
            reader = self._reader
            try:
                if reader is None:
                    reader, answer = self._opened()
                else:
                    answer = reader.begin(NextItem(self._number))
            except EngineDied:  # it ended while this upload was not being decoded
                self._leave()
                continue
            try:
                item = self._awaited(reader, answer)
            except EngineDied as death:
                self._leave()
                self._count(death)
                continue
            reader.private = False
            self._given += 1
            return item

    def close(self) -> None:
        """Ends the reading; the upload itself stays open."""
        reader, number = self._reader, self._number
        if reader is None:
            return
        if reader.alive:
            reader.tell(CloseStream(number))
        self._leave()

    def _opened(self) -> tuple[ReaderProcess, Future[object]]:
        """Begins again, behind what was given already."""
        self._number = next(_numbers)
        self._reader = reader = self._pool.lend(alone=self._crashes > 0)
        call = OpenStream(self._number, self._data, self._options, self._given)
        return reader, reader.begin(call, None if self._file is None else self._file.fileno())

    def _awaited(self, reader: ReaderProcess, answer: Future[object]) -> object:
        began = time.monotonic()
        while True:
            try:
                return answer.result(POLL_SECONDS)
            except TimeoutError:
                if answer.done():
                    return answer.result()
            if self._cancelled():
                raise RequestTimedOut
            if time.monotonic() - began > self._pool.rules.step_seconds:
                stuck = EngineStuck(self._pool.rules.step_seconds)
                reader.process().kill(stuck)
                wait([answer], END_SECONDS)
                raise stuck

    def _leave(self) -> None:
        if self._reader:
            self._pool.give_back(self._reader)
        self._reader = None

    def _count(self, death: EngineDied) -> None:
        self._kills += death.killed
        self._crashes += not death.killed
        if self._crashes >= MOST_CRASHES or self._kills >= MOST_KILLS:
            raise NotAudio(
                "Audio file might be corrupted or unsupported: the program that decodes it crashed at it."
            )


def _upload(file: BinaryIO) -> tuple[bytes | None, BinaryIO | None]:
    """The bytes of a small upload or of one that has no file; else the file."""
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
