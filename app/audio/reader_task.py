"""What a reader process does with an upload. Law: values in and out, so that it can run elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from app.audio.decode import open_audio
from engines.types import SAMPLE_RATE, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What is read of an upload."""

    limit: float
    """Seconds of audio allowed."""
    rate: int = SAMPLE_RATE
    """Hertz of the blocks."""


def read(
    file: BinaryIO, options: ReadOptions, cancelled: Callable[[], bool]
) -> Iterator[float | Samples | None]:
    """First the seconds that the file claims to have, if it does; then its blocks. Raises what `open_audio`
    and `AudioSource.blocks` raise.
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
