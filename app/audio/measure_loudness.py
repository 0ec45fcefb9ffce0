"""The loudness of a sound, by ITU-R BS.1770-4 and EBU R 128."""

from __future__ import annotations

import numpy as np

from app.audio.filters import frames, mono_chain
from engines.types import Pcm

LOUDNESS_GATE = -70.0
"""LUFS: the absolute gate of ITU-R BS.1770-4, below which nothing is measured."""


def loudness(sound: Pcm) -> float:
    """Integrated loudness in LUFS (EBU R 128); `LOUDNESS_GATE` for silence and for less than 0.4 s."""
    graph = mono_chain(sound.rate, [("ebur128", "metadata=1")])
    import av

    frame = av.AudioFrame.from_ndarray(sound.samples[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate = sound.rate
    graph.push(frame)
    integrated = LOUDNESS_GATE
    for measured in frames(graph):
        integrated = float(measured.metadata.get("lavfi.r128.I", integrated))
    return integrated
