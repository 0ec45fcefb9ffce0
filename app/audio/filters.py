"""Graphs of FFmpeg's filters. Law: the last filter gives mono frames; `frame_samples.py` reads no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.audio.frame_samples import samples
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
