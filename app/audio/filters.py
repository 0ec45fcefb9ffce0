"""FFmpeg's filters, and the only place that reads the samples of a frame.

Law: PyAV counts the planes of a frame until it meets a null pointer, and behind the eighth channel there is
none: it reads memory that is not the frame's. So only mono frames are read, and many channels become one
inside FFmpeg.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines.types import Samples

if TYPE_CHECKING:
    from av import AudioFrame
    from av.filter.graph import Graph

FilterStep = tuple[str, str | None]
"""Name of a filter, and its options."""


def chain(source: Mapping[str, str], steps: Sequence[FilterStep]) -> Graph:
    """A graph of FFmpeg's filters. `source`: the format of the frames, as options of FFmpeg's `abuffer`."""
    from av.filter import Graph

    graph = Graph()
    last = graph.add("abuffer", **source)
    for name, options in [*steps, ("abuffersink", None)]:
        step = graph.add(name, options)
        last.link_to(step)
        last = step
    graph.configure()
    return graph


def mono_chain(rate: int, steps: Sequence[FilterStep]) -> Graph:
    """A graph of filters for mono frames of floats. `rate`: hertz."""
    return chain({"sample_rate": str(rate), "sample_fmt": "flt", "channel_layout": "mono"}, steps)


def frames(graph: Graph) -> Iterator[AudioFrame]:
    """The frames that the filters have finished."""
    import av

    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return
        assert isinstance(frame, av.AudioFrame)  # the filters give audio frames only
        yield frame


def finished(graph: Graph) -> list[Samples]:
    """The samples that the filters have finished; their last step gives mono floats."""
    return [np.asarray(samples(frame), np.float32) for frame in frames(graph)]


def samples(frame: AudioFrame) -> NDArray[Any]:
    """A copy of the samples of a mono frame."""
    if frame.layout.nb_channels != 1:
        raise ValueError(f"a frame of {frame.layout.nb_channels} channels is not read")
    return frame.to_ndarray().reshape(-1)
