"""Encodes PCM to mp3, opus, aac, flac, wav or raw PCM, piece by piece.

Law: two verbs, feed and flush; a decoder gives back what was fed, to the sample or nearly so. The sound must
begin with `LEAD_SAMPLES` of silence, and `flush` pads it to a multiple of `AAC_FRAME_SAMPLES`, because some
formats cannot store where the sound begins and ends.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain import AudioFormat
from engines.types import Samples

if TYPE_CHECKING:
    from av import AudioFrame

SPEECH_RATE = 24_000
"""Sampling rate of all speech that is sent, in hertz."""
AAC_FRAME_SAMPLES = 1024
"""Samples of a frame of AAC, which has the longest frames of these formats."""
LEAD_SAMPLES = 1440
"""Samples of silence at the start (60 ms)."""


@dataclass(frozen=True, slots=True)
class _Recipe:
    container: str
    codec: str
    sample_format: str
    bit_rate: int = 0
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    skipped: int = 0
    """Number of packets at the start that hold only the encoder's delay; they are left out."""
    frame: int = 0
    """Samples of a packet, for a stream that must end with a whole packet."""


# A stream of mp3 has no header that tells a decoder how much delay to drop, so the two frames that hold it
# are left out (without a bit reservoir, each frame can be decoded by itself). ADTS never has such a header.
_FILES: dict[str, _Recipe] = {
    "mp3": _Recipe("mp3", "libmp3lame", "s16p", 96_000, {"id3v2_version": "3"}),
    "opus": _Recipe("ogg", "libopus", "s16", 48_000, {"page_duration": "200000"}),
    "aac": _Recipe("adts", "aac", "fltp", 96_000, skipped=1),
    "flac": _Recipe("flac", "flac", "s16"),
    "wav": _Recipe("wav", "pcm_s16le", "s16", options={"fflags": "+bitexact"}),
}
_STREAMS = _FILES | {
    "mp3": _Recipe(
        "mp3", "libmp3lame", "s16p", 96_000, {"id3v2_version": "3", "write_xing": "0"}, skipped=2, frame=576
    ),
}


class Encoder(Protocol):
    """Encodes sound: samples in, bytes out."""

    def feed(self, samples: Samples) -> bytes:
        """Encodes samples. Returns the bytes that are ready."""
        ...

    def flush(self) -> bytes:
        """Returns the bytes that are left at the end."""
        ...


def encoder(form: AudioFormat, *, whole: bool, comment: str = "") -> Encoder:
    """An encoder of the format `form`.

    `whole`: all bytes come from `flush`, and the file has its length in its header; else they come as soon as
    they are ready. `comment`: a metadata tag, in the formats that have tags (mp3, opus, flac, wav).
    """
    if form == "pcm":
        return _Raw()
    return _Coded((_FILES if whole else _STREAMS)[form], whole=whole, comment=comment)


class _Raw:
    """16-bit little-endian samples without a header."""

    def __init__(self) -> None:
        self._count = 0

    def feed(self, samples: Samples) -> bytes:
        self._count += len(samples)
        return _int16(samples).tobytes()

    def flush(self) -> bytes:
        return bytes(2 * (-self._count % AAC_FRAME_SAMPLES))


class _Sink:
    """A file object that cannot seek; its bytes are taken out while FFmpeg writes to it."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


class _Coded:
    """An encoder that uses one of FFmpeg's codecs and containers."""

    def __init__(self, recipe: _Recipe, *, whole: bool, comment: str) -> None:
        import av

        self._recipe = recipe
        self._file = io.BytesIO() if whole else None
        self._sink = _Sink()
        options = {"flush_packets": "1", **recipe.options}
        self._container = av.open(self._file or self._sink, "w", format=recipe.container, options=options)
        if comment:
            self._container.metadata["comment"] = comment
        codec = {"reservoir": "0"} if recipe.codec == "libmp3lame" and not whole else {}
        stream = self._container.add_stream(recipe.codec, rate=SPEECH_RATE, options=codec)
        assert isinstance(stream, av.AudioStream)  # every codec in the table encodes audio
        self._stream = stream
        self._stream.codec_context.layout = "mono"
        self._stream.codec_context.format = recipe.sample_format
        if recipe.bit_rate:
            self._stream.codec_context.bit_rate = recipe.bit_rate
        self._resampler = av.AudioResampler(format=recipe.sample_format, layout="mono", rate=SPEECH_RATE)
        self._count = 0
        self._packets = 0

    def feed(self, samples: Samples) -> bytes:
        if len(samples):
            self._encode(samples)
        return self._sink.take()

    def flush(self) -> bytes:
        if rest := -self._count % AAC_FRAME_SAMPLES:
            self._encode(np.zeros(rest, np.float32))
        self._mux(None)
        self._container.close()
        return self._file.getvalue() if self._file else self._sink.take()

    def _encode(self, samples: Samples) -> None:
        import av

        frame = av.AudioFrame.from_ndarray(_int16(samples)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SPEECH_RATE, self._count
        self._count += len(samples)
        for converted in self._resampler.resample(frame):
            self._mux(converted)

    def _mux(self, frame: AudioFrame | None) -> None:
        recipe = self._recipe
        for packet in self._stream.encode(frame):
            number = self._packets - recipe.skipped
            self._packets += 1
            if number < 0 or (recipe.frame and number >= round(self._count / recipe.frame) and frame is None):
                continue
            self._container.mux(packet)


def _int16(samples: Samples) -> NDArray[np.int16]:
    return np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")
