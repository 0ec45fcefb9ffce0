"""Opens an upload for decoding, in this process or in a reader process.

Law: chooses the place and nothing else; both give the same blocks and raise the same errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol, cast

from app.audio.decode import open_audio
from app.audio.reader_task import ReadOptions
from app.runtime.blocking_work import WorkThreads
from app.runtime.read_stream import ReadStream
from app.runtime.reader_messages import Ended
from app.runtime.reader_pool import ReaderPool
from engines.types import SAMPLE_RATE, Samples


class Source(Protocol):
    """An upload that was opened. Iterate `blocks` once."""

    expected: float | None
    """Seconds that the file claims to have, if it does."""

    @property
    def seconds(self) -> float:
        """Seconds decoded so far."""
        ...

    def blocks(self) -> Iterator[Samples]:
        """Blocks of mono samples. Raises `ApiError`."""
        ...

    def close(self) -> None:
        """Ends the decoding; the upload itself stays open."""
        ...


class IsolatedSource:
    """An upload that a reader process decodes."""

    def __init__(self, stream: ReadStream, rate: int) -> None:
        """Waits until the upload is opened. Raises `ApiError`."""
        self._stream, self._rate = stream, rate
        self._samples = 0
        self.expected = cast("float | None", stream.next_item())

    @property
    def seconds(self) -> float:
        return self._samples / self._rate

    def blocks(self) -> Iterator[Samples]:
        while not isinstance(item := self._stream.next_item(), Ended):
            block = cast("Samples", item)
            self._samples += len(block)
            yield block

    def close(self) -> None:
        self._stream.close()


def open_source(
    threads: WorkThreads,
    file: BinaryIO,
    *,
    limit: float,
    cancelled: Callable[[], bool],
    rate: int = SAMPLE_RATE,
) -> Source:
    """Opens an upload; blocks. `limit`: seconds of audio allowed. Raises `ApiError`."""
    if threads.readers is None:
        return open_audio(file, limit=limit, cancelled=cancelled, rate=rate)
    return _isolated(threads.readers, file, ReadOptions(limit=limit, rate=rate), cancelled)


def _isolated(
    readers: ReaderPool, file: BinaryIO, options: ReadOptions, cancelled: Callable[[], bool]
) -> Source:
    stream = ReadStream(readers, file, options, cancelled)
    try:
        return IsolatedSource(stream, options.rate)
    except BaseException:
        stream.close()
        raise
