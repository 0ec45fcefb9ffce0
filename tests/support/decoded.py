"""Decodes sound files with FFmpeg, for tests that check what was sent."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np

from engines.types import Samples


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded file."""

    samples: Samples
    rate: int
    claimed: float | None
    """The length in seconds that the file claims."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def decode(data: bytes, form: str) -> Decoded:
    """Decodes a file of the format `form`. Raises FFmpeg's error if it is not one."""
    if form == "pcm":
        return Decoded(np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768), 24_000, None)
    container = av.open(io.BytesIO(data), "r")
    convert = av.AudioResampler(format="flt", layout="mono")
    pieces = [convert.resample(frame) for frame in container.decode(audio=0)]
    pieces.append(convert.resample(None))
    arrays = [frame.to_ndarray().reshape(-1) for frames in pieces for frame in frames]
    claimed = container.duration / 1_000_000 if container.duration else None
    return Decoded(np.concatenate(arrays).astype(np.float32), container.streams.audio[0].rate, claimed)
