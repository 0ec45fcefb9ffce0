"""Sound that arrives in pieces, as 16-bit samples of `SAMPLE_RATE` hertz.

Law: keeps its state between pieces (a lone byte, the resampler's filter), so joins are not heard. Blocks for
a few milliseconds for each second of sound.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.audio.frame_samples import samples
from app.domain.live import SoundFormat
from engines.types import SAMPLE_RATE

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler

Samples16 = NDArray[np.int16]
STEP_SECONDS = 0.5
"""The resampler gets so many seconds at a time, because it keeps buffers of that length, and there are many
resamplers.
"""
FULL_SCALE = 32_768.0
"""The sample value that corresponds to full scale (1.0)."""


def mu_law(data: bytes) -> Samples16:
    """Decodes G.711 mu-law."""
    return _MU[np.frombuffer(data, np.uint8)]


def a_law(data: bytes) -> Samples16:
    """Decodes G.711 A-law."""
    return _A[np.frombuffer(data, np.uint8)]


class PieceDecoder:
    """Decodes the pieces of one stream, all of one format."""

    def __init__(self, form: SoundFormat) -> None:
        self._form = form
        self._rest = b""
        self._resampler: AudioResampler | None = None

    def feed(self, data: bytes) -> Samples16:
        """Decodes a piece. The resampler may keep the last few samples for the next call or for `flush`."""
        return self.wide(self.raw(data))

    def wide(self, samples: Samples16) -> Samples16:
        """Resamples what `raw` returned to `SAMPLE_RATE`; the resampler may keep the last few samples."""
        if self._form.rate == SAMPLE_RATE or not len(samples):
            return samples
        return self._resampled(samples)

    def flush(self) -> Samples16:
        """The samples that the resampler has kept. The next piece is resampled on its own, but half a sample
        from the bytes before is still completed by its first byte.
        """
        if self._resampler is None:
            return np.zeros(0, np.int16)
        frames = self._resampler.resample(None)
        self._resampler = None
        return _joined(frames)

    def forget(self) -> None:
        """Drops half a sample that waits for its second byte."""
        self._rest = b""

    def raw(self, data: bytes) -> Samples16:
        """The samples of a piece, at the rate of the stream. A lone last byte waits for the next piece."""
        if self._form.encoding == "pcmu":
            return mu_law(data)
        if self._form.encoding == "pcma":
            return a_law(data)
        data = self._rest + data
        whole = len(data) - len(data) % 2
        self._rest = data[whole:]
        return np.frombuffer(data[:whole], "<i2").astype(np.int16)

    def _resampled(self, samples: Samples16) -> Samples16:
        from av import AudioFrame, AudioResampler

        self._resampler = self._resampler or AudioResampler("s16", "mono", SAMPLE_RATE)
        made: list[AudioFrame] = []
        step = round(STEP_SECONDS * self._form.rate)
        for at in range(0, len(samples), step):
            frame = AudioFrame.from_ndarray(samples[None, at : at + step], format="s16", layout="mono")
            frame.sample_rate = self._form.rate
            made += self._resampler.resample(frame)
        return _joined(made)


def _joined(frames: Iterable[AudioFrame]) -> Samples16:
    parts = [samples(frame).astype(np.int16) for frame in frames]
    return np.concatenate([np.zeros(0, np.int16), *parts])


def _mu_table() -> Samples16:
    code = ~np.arange(256) & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _a_table() -> Samples16:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code & 0x70) >> 4, (code & 0x0F) << 4
    size = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


_MU, _A = _mu_table(), _a_table()
