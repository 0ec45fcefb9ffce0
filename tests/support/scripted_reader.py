"""Tasks for reader processes: one obeys the words in its upload; another decodes without the check that
keeps some files from crashing PyAV.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from app.audio import decode
from app.audio.reader_task import ReadOptions, read
from app.errors import AudioTooLong
from engines.types import Samples
from tests.support.scripted_engines import obey


def lines(file: BinaryIO, options: object, cancelled: Callable[[], bool]) -> Iterator[str]:
    """The lines of the upload. Before each line, it does what the line asks for
    (`tests/support/scripted_engines.py`).
    """
    for line in file.read().decode().splitlines():
        if line == "too long":
            raise AudioTooLong(7.0, 5.0)
        if line == "until cancelled":
            while not cancelled():
                obey("sleep:0.01")
        obey(line)
        yield line


def unchecked(
    file: BinaryIO, options: ReadOptions, cancelled: Callable[[], bool]
) -> Iterator[float | Samples | None]:
    """Decodes as `read` does, without the check that keeps lists of channels from PyAV. PyAV frees them
    twice, which often, but not always, ends the process.
    """
    for check in ("make_plain", "check_packet", "check_frames"):
        setattr(decode, check, lambda _: None)
    data = file.read()
    for _ in range(20):
        for _ in read(io.BytesIO(data), options, cancelled):
            pass
    yield from read(io.BytesIO(data), options, cancelled)


def nothing() -> None:
    """Imports nothing, because these tasks need no library."""


def broken() -> None:
    """Makes the start of a reader fail."""
    raise ImportError("as the test says")


def hang() -> None:
    """Makes the start of a reader never end."""
    obey("hang")
