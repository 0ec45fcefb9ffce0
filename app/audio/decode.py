"""Decodes any audio or video file to mono PCM, block by block.

Law: bytes in, blocks out; bounded memory whatever the file claims; no file or address that the upload names
is ever opened; whatever FFmpeg says about a file that it cannot read becomes `NotAudio`. All of it blocks, so
it is called from a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from app.audio.convert_to_mono import Converter, Level
from app.audio.unsafe_layouts import check_frames, check_packet, make_plain
from app.errors import ApiError, AudioTooLong, AudioTooShort, NotAudio, RequestTimedOut
from engines.types import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer

log = logging.getLogger(__name__)
SHORTEST_AUDIO = 0.1
"""The least seconds of a file; shorter ones are refused, as by OpenAI's API."""
BLOCK_SAMPLES = 5 * SAMPLE_RATE
"""The least number of samples in a block; only the last block may be shorter."""
BROKEN_PACKETS = 1000
"""If more packets in a row than this cannot be decoded, the rest of the file is not read."""
SUPPORTED = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
# Demuxers may open what a file names (playlists do). No protocol has that name, so every attempt fails.
OPTIONS = {"protocol_whitelist": "none"}
NOT_FILES = {"hls", "dash", "concat", "sdp", "rtsp", "rtp", "imf", "image2", "tty", "lavfi"}
"""Formats that refer to other files or addresses, or that generate sound from text."""


class AudioSource:
    """An upload that was opened. Iterate `blocks` once; after that, `seconds` is the length of the sound."""

    def __init__(
        self,
        container: InputContainer,
        stream: AudioStream,
        *,
        limit: float,
        cancelled: Callable[[], bool],
        rate: int,
    ) -> None:
        self._rate = rate
        self._container = container
        self._stream = stream
        self._limit = limit
        self._cancelled = cancelled
        self._samples = 0
        self.expected = _claimed_seconds(container, stream)
        """The length in seconds that the file claims, or None."""

    @property
    def seconds(self) -> float:
        """Seconds decoded so far."""
        return self._samples / self._rate

    def blocks(self) -> Iterator[Samples]:
        """Blocks of float32 mono samples, finite and within -1..1.

        Raises `NotAudio`, `AudioTooShort`, `AudioTooLong`, or `RequestTimedOut` once it is cancelled.
        """
        level = Level()
        waiting: list[Samples] = []
        count = 0
        for piece in self._pieces():
            waiting.append(piece)
            count += len(piece)
            if count >= BLOCK_SAMPLES:
                waiting, count = [np.concatenate(waiting)], 0
                yield level.feed(waiting.pop())  # nothing here keeps the block meanwhile
        if count:
            yield level.feed(np.concatenate(waiting))
        if not self.seconds:
            raise NotAudio("Audio file might be corrupted or unsupported: no sound could be decoded from it.")
        if self.seconds < SHORTEST_AUDIO:
            raise AudioTooShort

    def close(self) -> None:
        """Frees FFmpeg's resources; the upload itself stays open."""
        self._container.close()

    def _pieces(self) -> Iterator[Samples]:
        convert = Converter(self._rate)
        with _readable("decoded"):
            for frame in self._frames():
                yield from self._counted(convert.feed(frame))
            yield from self._counted(convert.flush())

    def _counted(self, pieces: list[Samples]) -> Iterator[Samples]:
        for piece in pieces:
            self._samples += len(piece)
            if self.seconds > self._limit:
                raise AudioTooLong(self.expected, self._limit)
            yield piece

    def _frames(self) -> Iterator[AudioFrame]:
        """Decoded frames. Damaged packets are skipped, as audio players do."""
        broken = 0
        problem = ""
        packets = self._container.demux(self._stream)
        while broken < BROKEN_PACKETS:
            if self._cancelled():
                raise RequestTimedOut
            try:
                packet = next(packets)
                check_packet(packet)
                frames = packet.decode()
                check_frames(frames)
            except (StopIteration, EOFError):
                break
            except _unreadable_errors() as wrong:
                broken += 1
                problem = problem or _described(wrong)
                continue
            broken = 0
            yield from frames
        if problem:
            log.info("parts of an upload cannot be decoded: %s", problem)


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
    with _readable("opened"):
        container = av.open(file, mode="r", options=OPTIONS, metadata_errors="ignore")
    try:
        with _readable("opened"):
            stream = _audio_stream(container)
            source = AudioSource(container, stream, limit=limit, cancelled=cancelled, rate=rate)
        _check_claim(source.expected, limit)
    except BaseException:
        container.close()
        raise
    return source


@contextmanager
def _readable(verb: str) -> Iterator[None]:
    """Turns FFmpeg's errors into `NotAudio`; only the log is told which error it was."""
    try:
        yield
    except ApiError:
        raise
    except _unreadable_errors() as wrong:
        log.info("an upload cannot be %s: %s", verb, _described(wrong))
        raise _not_audio() from wrong


def _unreadable_errors() -> tuple[type[Exception], ...]:
    """The exceptions with which PyAV reports a broken file. Python's own `MemoryError` is not among them,
    because it does not mean that the file is broken.
    """
    import av

    return (av.FFmpegError, ValueError, LookupError, ArithmeticError, RuntimeError, TypeError, OSError)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _audio_stream(container: InputContainer) -> AudioStream:
    if set(container.format.name.split(",")) & NOT_FILES or not container.streams.audio:
        raise _not_audio()
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise NotAudio("The audio codec of this file is not supported.")
    stream.codec_context.thread_count = 1
    make_plain(stream)
    return stream


def _check_claim(claimed: float | None, limit: float) -> None:
    if claimed is not None and claimed > limit:
        raise AudioTooLong(claimed, limit)


def _claimed_seconds(container: InputContainer, stream: AudioStream) -> float | None:
    claimed = 0.0
    if stream.duration and stream.time_base:
        claimed = float(stream.duration * stream.time_base)
    elif container.duration:
        claimed = container.duration / 1_000_000
    return claimed if claimed > 0 else None


def _not_audio() -> NotAudio:
    return NotAudio(
        f"Invalid file format. Supported formats: {list(SUPPORTED)!r}, and whatever else FFmpeg decodes"
    )
