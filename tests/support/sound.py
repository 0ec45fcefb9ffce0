"""Sound made for tests: tones, silence, and any container and codec that PyAV writes."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from contextlib import suppress

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
RATE = 16_000


def silence(seconds: float) -> Floats:
    return np.zeros(int(seconds * RATE), np.float32)


def tone(seconds: float, hertz: float = 440.0) -> Floats:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def noise(seconds: float, level: float = 0.05) -> Floats:
    return np.random.default_rng(7).normal(0, level, int(seconds * RATE)).astype(np.float32)


def wav(samples: Floats, rate: int = RATE) -> bytes:
    data = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE") + form
    return head + struct.pack("<4sI", b"data", len(data)) + data


def pcm_wav(samples: Floats, rate: int = RATE, kind: str = "<i2") -> bytes:
    """A WAV of any number of channels: (samples, channels). `kind`: NumPy's name of the stored type."""
    stored = np.dtype(kind)
    count, channels = samples.shape
    if stored.kind == "f":
        data = samples.astype(stored)
    else:
        scale, zero = (127, 128) if stored.kind == "u" else (2.0 ** (8 * stored.itemsize - 1) - 1, 0)
        data = (samples.astype(np.float64) * scale + zero).astype(stored)
    width, block = stored.itemsize, stored.itemsize * channels
    form = struct.pack(
        "<4sIHHIIHH",
        b"fmt ", 16, 3 if stored.kind == "f" else 1, channels, rate,
        min(rate * block, 0xFFFFFFFF), block & 0xFFFF, 8 * width,
    )  # fmt: skip
    head = struct.pack("<4sI4s", b"RIFF", 36 + count * block, b"WAVE") + form
    return head + struct.pack("<4sI", b"data", count * block) + data.tobytes()


def float_wav(samples: Floats, rate: int = RATE) -> bytes:
    """A mono WAV of 32-bit floats; any values are stored as they are, also invalid ones."""
    return pcm_wav(samples[:, None], rate, "<f4")


def encode(samples: Floats, container: str, codec: str, rate: int = 48_000, layout: str = "mono") -> bytes:
    """Mono samples of 16 kHz in any container, codec, rate and layout."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        context = stream.codec_context
        resampler = av.AudioResampler(
            context.format, context.layout, rate, frame_size=context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = RATE
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(piece))
        target.mux(stream.encode(None))
    return buffer.getvalue()


def many_channels(samples: Floats, channels: int, container: str = "wv", codec: str = "wavpack") -> bytes:
    """The same sound in up to 64 channels, from a codec that gives each channel a plane of its own."""
    buffer = io.BytesIO()
    weights = "|".join([f"{channels}C", *(f"c{number}=c0" for number in range(channels))])
    with av.open(buffer, "w", format=container) as target:
        stream = target.add_stream(codec, rate=RATE, layout=f"{channels} channels")
        assert isinstance(stream, av.AudioStream)
        steps = [("pan", weights), ("aformat", f"sample_fmts={stream.codec_context.format.name}")]
        for frame in filtered(samples, steps):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return buffer.getvalue()


def caf(samples: Floats, labels: Sequence[int]) -> bytes:
    """A Core Audio Format file with one channel for each label: 1 is left, 2 right, 3 centre; 500 has no
    meaning.
    """
    count = len(labels)
    data = np.tile((samples * 32767).astype(">i2")[:, None], count).tobytes()
    form = struct.pack(">d4sIIIII", RATE, b"lpcm", 0, 2 * count, 1, count, 16)
    layout = struct.pack(">III", 0, 0, count)
    layout += b"".join(struct.pack(">IIfff", label, 0, 0, 0, 0) for label in labels)
    chunks = ((b"desc", form), (b"chan", layout), (b"data", bytes(4) + data))
    return (
        b"caff"
        + struct.pack(">HH", 1, 0)
        + b"".join(kind + struct.pack(">q", len(content)) + content for kind, content in chunks)
    )


def decode(data: bytes) -> Floats:
    """Decodes any audio to mono samples of 16 kHz."""
    with av.open(io.BytesIO(data), "r") as source:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        frames = [f for frame in source.decode(audio=0) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32)


def film(samples: Floats) -> bytes:
    """An mp4 with a picture track and a sound track."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as target:
        picture = target.add_stream("mpeg4", rate=5)
        assert isinstance(picture, av.VideoStream)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        sound = target.add_stream("aac", rate=RATE, layout="mono")
        assert isinstance(sound, av.AudioStream)
        for _ in range(int(5 * len(samples) / RATE)):
            target.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        target.mux(picture.encode(None))
        resampler = av.AudioResampler("fltp", "mono", RATE, frame_size=1024)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = RATE
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(sound.encode(piece))
        target.mux(sound.encode(None))
    return buffer.getvalue()


def silent_flac(seconds: float, rate: int = 8_000) -> bytes:
    """Silence as FLAC of constant frames (RFC 9639): fifteen bytes a frame of 65,535 samples."""
    info = struct.pack(">HH", 65_535, 65_535) + bytes(6)
    info += ((rate << 44) | (15 << 36)).to_bytes(8, "big") + bytes(16)
    head = b"fLaC" + bytes([0x80]) + len(info).to_bytes(3, "big") + info
    return head + b"".join(_silent_frame(number) for number in range(int(seconds * rate / 65_535)))


def _silent_frame(number: int) -> bytes:
    head = b"\xff\xf8\x70\x08" + _coded(number) + struct.pack(">H", 65_534)
    frame = head + bytes([_crc(head, 8, 0x07)]) + b"\x00\x00\x00"
    return frame + struct.pack(">H", _crc(frame, 16, 0x8005))


def _coded(number: int) -> bytes:
    """A number in the same coding as UTF-8, which FLAC uses for frame numbers."""
    return chr(number).encode("utf-8", "surrogatepass")


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    value, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & top else value << 1) & mask
    return value


def stretched(samples: Floats, tempo: float) -> Floats:
    """The same speech, faster or slower by `tempo` (0.5 to 2), at the same pitch."""
    frames = filtered(samples, [("atempo", str(tempo))])
    pieces = [np.asarray(frame.to_ndarray(), np.float32).reshape(-1) for frame in frames]
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def filtered(samples: Floats, steps: Sequence[tuple[str, str]]) -> list[av.AudioFrame]:
    """Applies FFmpeg's filters to mono samples of 16 kHz."""
    graph = av.filter.Graph()
    last = graph.add_abuffer(sample_rate=RATE, format="flt", layout="mono")
    for name, options in [*steps, ("abuffersink", "")]:
        step = graph.add(name, options or None)
        last.link_to(step)
        last = step
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = RATE
    graph.push(frame)
    graph.push(None)
    frames: list[av.AudioFrame] = []
    with suppress(av.error.EOFError, av.error.BlockingIOError):
        while True:
            pulled = graph.pull()
            assert isinstance(pulled, av.AudioFrame)
            frames.append(pulled)
    return frames
