"""Converts decoded frames of any sampling rate, channel layout and sample format to mono samples for the
models.

Law: `feed` each frame, then `flush`. The results are finite and within -1..1, whatever the file contains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.audio.filters import FilterStep, chain, finished
from app.errors import NotAudio
from engines.types import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    from av import AudioFrame
    from av.filter.graph import Graph

LOWEST_RATE = 1000
"""Lowest sampling rate in hertz. Below it, a frame of a tiny file could grow to gigabytes at our rate."""
HIGHEST_RATE = 2_000_000
"""Highest sampling rate in hertz. Above it, the filters of the resampler take gigabytes of memory."""
MOST_CHANNELS = 64
"""The most channels that are mixed down to mono."""
FAR_TOO_LOUD = 8.0
"""Magnitude of a sample, 18 dB over full scale: a recording that is only too loud never has it."""
MANY_SAMPLES = 0.05
"""If a larger share of the samples is beyond `FAR_TOO_LOUD`, the file holds integers that were stored as
floats.
"""
INTEGER_SCALES = (2.0**15, 2.0**23, 2.0**31)
"""Full scales of 16, 24 and 32 bits."""
MOST_CHANGES = 1000
"""Changes of rate, layout or format in one stream; each of them makes a new resampler."""
# FFmpeg mixes integers with weights whose sum is 1, but floats with weights whose sum may be more, so that a
# loud stereo file would be clipped.
NORMALISED = "rematrix_maxval=1.0"


class Converter:
    """Converts frames to mono float32 samples of one sampling rate."""

    def __init__(self, rate: int = SAMPLE_RATE) -> None:
        """`rate`: sampling rate of the result, in hertz."""
        self._rate = rate
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()
        self._changes = 0

    def feed(self, frame: AudioFrame) -> list[Samples]:
        """Converts a frame. The resampler may keep the last samples. Raises `NotAudio`,
        and FFmpeg's errors.
        """
        frame.pts = None
        shape = (frame.format.name, frame.layout.name, frame.layout.nb_channels, frame.sample_rate)
        if shape != self._shape:  # a stream may change its shape, but a resampler cannot
            early = self.flush()
            self._shape = shape
            return [*early, *self._opened(frame)]
        assert self._graph  # `_opened` has made it for this shape
        self._graph.push(frame)
        return finished(self._graph)

    def flush(self) -> list[Samples]:
        """The samples that the resampler has kept."""
        graph, self._graph, self._shape = self._graph, None, ()
        if graph is None:
            return []
        graph.push(None)
        return finished(graph)

    def _opened(self, frame: AudioFrame) -> list[Samples]:
        """The samples that are ready after the first frame of a shape.

        FFmpeg has no mixing weights for some layouts: of these, the mean of the channels is taken.
        """
        import av

        self._changes += 1
        if self._changes > MOST_CHANGES:
            raise NotAudio("The sampling rate or the channels of this file change too often.")
        check_shape(frame.sample_rate, frame.layout.nb_channels)
        try:
            self._graph = _resampler(frame, self._rate, [])
            self._graph.push(frame)
            return finished(self._graph)
        except av.ArgumentError:
            if frame.layout.nb_channels == 1:
                raise
        as_floats = ("aformat", "sample_fmts=fltp")
        self._graph = _resampler(frame, self._rate, [as_floats, ("pan", _mean(frame.layout.nb_channels))])
        self._graph.push(frame)
        return finished(self._graph)


def check_shape(rate: int, channels: int) -> None:
    """Raises `NotAudio` if the sound cannot be converted at a bounded cost. `rate`: hertz."""
    if rate < LOWEST_RATE:
        raise NotAudio(f"The sampling rate of this file, {rate} Hz, is too low.")
    if rate > HIGHEST_RATE:
        raise NotAudio(f"The sampling rate of this file, {rate} Hz, is too high.")
    if not 1 <= channels <= MOST_CHANNELS:
        raise NotAudio(f"This file has {channels} channels; 1 to {MOST_CHANNELS} can be mixed down to one.")


class Level:
    """Brings the samples of one file into -1..1.

    NaN and infinity become silence, and what is too loud is clipped. A common mistake is to store integers as
    floats: where many samples are far beyond full scale, the file is divided by the integers' full scale.
    """

    def __init__(self) -> None:
        self._full_scale = 1.0

    def feed(self, samples: Samples) -> Samples:
        if (
            self._full_scale == 1.0 and np.abs(samples).max(initial=0.0) <= 1.0
        ):  # a comparison with NaN is false
            return samples
        finite = np.where(np.isfinite(samples), samples, np.float32(0.0))
        if self._full_scale == 1.0:
            self._full_scale = _full_scale(finite)
        finite /= np.float32(self._full_scale)
        return np.clip(finite, -1.0, 1.0, out=finite)


def _full_scale(samples: Samples) -> float:
    """1, or the full scale of the integers that the samples seem to be."""
    loud = np.abs(samples[np.abs(samples) > FAR_TOO_LOUD])
    if len(loud) < MANY_SAMPLES * len(samples):
        return 1.0
    loudest = float(np.quantile(loud, 0.99))
    return next((scale for scale in INTEGER_SCALES if loudest <= scale), 1.0)


def _resampler(frame: AudioFrame, rate: int, first: list[FilterStep]) -> Graph:
    source = {
        "sample_rate": str(frame.sample_rate),
        "sample_fmt": frame.format.name,
        "channel_layout": frame.layout.name,
    }
    form = f"sample_fmts=flt:channel_layouts=mono:sample_rates={rate}"
    return chain(source, [*first, ("aresample", f"{rate}:{NORMALISED}"), ("aformat", form)])


def _mean(channels: int) -> str:
    """Options of the filter that mixes channels by weights."""
    return "mono|c0=" + "+".join(f"{1 / channels:.9f}*c{number}" for number in range(channels))
