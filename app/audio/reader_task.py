"""The task of a reader process: it decodes an upload. Law: values in and out, so that it can run in another
process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from app.audio.decode import open_audio
from engines.types import SAMPLE_RATE, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How an upload is decoded."""

    limit: float
    """The most seconds of audio."""
    rate: int = SAMPLE_RATE
    """Sampling rate of the blocks, in hertz."""


def read(
    file: BinaryIO, options: ReadOptions, cancelled: Callable[[], bool]
) -> Iterator[float | Samples | None]:
    """Yields first the length in seconds that the file claims, or None; then its blocks. Raises what
    `open_audio` and `AudioSource.blocks` raise.
    """
    source = open_audio(file, limit=options.limit, cancelled=cancelled, rate=options.rate)
    try:
        yield source.expected
        yield from source.blocks()
    finally:
        source.close()


def warm() -> None:
    """Loads FFmpeg."""
    import av

    av.logging.set_level(None)
