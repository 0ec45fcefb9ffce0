"""Any audio or video file -> mono PCM, block by block.

Law: bytes in, blocks out; bounded memory whatever the file claims; no file or address that the upload names
is ever opened. Everything blocks: call it from a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

from app.errors import AudioTooLong, AudioTooShort, NotAudio
from engines.types import SAMPLE_RATE, Samples

SHORTEST = 0.1
"""Seconds under which there is nothing to hear."""
BLOCK = 5 * SAMPLE_RATE
"""Samples in a block."""
SLOWEST = 1000
"""Hertz; below it one frame of a tiny file could grow to gigabytes at our rate."""
BROKEN_PACKETS = 1000
"""Packets in a row that may fail to decode before the rest is given up."""
SUPPORTED = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
# Demuxers may open what a file names (playlists do). No protocol has that name, so every attempt fails.
OPTIONS = {"protocol_whitelist": "none"}
NOT_FILES = {"hls", "dash", "concat", "sdp", "rtsp", "rtp", "imf", "image2", "tty", "lavfi"}
"""Formats that point elsewhere or make sound out of text."""


class AudioSource:
    """One upload, opened. Iterate `blocks` once; `seconds` is known when it ends."""

    def __init__(
        self, container: Any, stream: Any, limit: float, cancelled: Callable[[], bool], rate: int
    ) -> None:
        self._rate = rate
        self._container = container
        self._stream = stream
        self._limit = limit
        self._cancelled = cancelled
        self._samples = 0

    @property
    def seconds(self) -> float:
        """Seconds decoded so far."""
        return self._samples / self._rate

    @property
    def expected(self) -> float | None:
        """Seconds that the file claims to have, if it does."""
        return _claimed_seconds(self._container, self._stream)

    def blocks(self) -> Iterator[Samples]:
        """Blocks of float32 mono samples.

        Raises `NotAudio`, `AudioTooShort` or `AudioTooLong`. Ends early when cancelled.
        """
        waiting: list[Samples] = []
        count = 0
        for piece in self._pieces():
            waiting.append(piece)
            count += len(piece)
            if count >= BLOCK:
                yield _joined(waiting)
                waiting, count = [], 0
        if count:
            yield _joined(waiting)
        if not self.seconds:
            raise NotAudio("Audio file might be corrupted or unsupported: no sound could be decoded from it.")
        if self.seconds < SHORTEST:
            raise AudioTooShort

    def close(self) -> None:
        """Gives back what FFmpeg holds; the upload itself stays open."""
        self._container.close()

    def _pieces(self) -> Iterator[Samples]:
        convert = Converter(self._rate)
        for frame in self._frames():
            if self._cancelled():
                return
            yield from self._counted(convert.feed(frame))
        yield from self._counted(convert.flush())

    def _counted(self, pieces: list[Samples]) -> Iterator[Samples]:
        for piece in pieces:
            self._samples += len(piece)
            if self.seconds > self._limit:
                raise AudioTooLong(self.expected, self._limit)
            yield piece

    def _frames(self) -> Iterator[Any]:
        """Decoded frames; damaged packets are passed over, as players do."""
        import av

        broken = 0
        packets = self._container.demux(self._stream)
        while broken < BROKEN_PACKETS:
            try:
                frames = next(packets).decode()
                broken = 0
            except StopIteration:
                return
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError):
                broken += 1
                continue
            yield from frames


class Converter:
    """Frames of any rate, layout and format -> mono float32. Two verbs: feed and flush."""

    def __init__(self, rate: int = SAMPLE_RATE) -> None:
        self._rate = rate
        self._resampler: Any = None
        self._shape: tuple[Any, ...] | None = None

    def feed(self, frame: Any) -> list[Samples]:
        if frame.sample_rate < SLOWEST:
            raise NotAudio(f"The sampling rate of this file, {frame.sample_rate} Hz, is too low.")
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        early: list[Samples] = []
        if shape != self._shape:  # a stream may change in its course; the resampler may not
            early = self.flush()
            self._resampler, self._shape = _resampler(self._rate), shape
        frame.pts = None
        return [*early, *_arrays(self._resampler.resample(frame))]

    def flush(self) -> list[Samples]:
        return _arrays(self._resampler.resample(None)) if self._resampler else []


def open_audio(
    file: BinaryIO, *, limit: float, cancelled: Callable[[], bool], rate: int = SAMPLE_RATE
) -> AudioSource:
    """Opens an upload of any format that FFmpeg knows, by its bytes, never by its name.

    `limit`: seconds of audio allowed. `rate`: hertz of the blocks. Raises `NotAudio`, or `AudioTooLong` if
    the file says so itself.
    """
    import av

    av.logging.set_level(None)
    file.seek(0)
    try:
        container = av.open(file, mode="r", options=OPTIONS, metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError, OSError) as wrong:
        raise _unreadable() from wrong
    try:
        stream = _audio_stream(container)
        _check_claim(_claimed_seconds(container, stream), limit)
        return AudioSource(container, stream, limit, cancelled, rate)
    except BaseException:
        container.close()
        raise


def _audio_stream(container: Any) -> Any:
    if set(container.format.name.split(",")) & NOT_FILES or not container.streams.audio:
        raise _unreadable()
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise NotAudio("The audio codec of this file is not supported.")
    with suppress(ValueError, AttributeError):
        stream.thread_count = 1
    return stream


def _check_claim(claimed: float | None, limit: float) -> None:
    if claimed is not None and claimed > limit:
        raise AudioTooLong(claimed, limit)


def _claimed_seconds(container: Any, stream: Any) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else None


def _unreadable() -> NotAudio:
    return NotAudio(
        f"Invalid file format. Supported formats: {list(SUPPORTED)!r}, and whatever else FFmpeg decodes"
    )


def _resampler(rate: int) -> Any:
    import av

    return av.AudioResampler(format="flt", layout="mono", rate=rate)


def _arrays(frames: Any) -> list[Samples]:
    return [frame.to_ndarray().reshape(-1) for frame in frames]


def _joined(pieces: list[Samples]) -> Samples:
    """One block; what is no number, as broken files of floats may hold, is silence."""
    return np.nan_to_num(np.concatenate(pieces), copy=False)
