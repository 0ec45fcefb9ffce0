"""Joins the utterances of an engine to one even stream: trimmed, at one loudness and tempo.

Law: two verbs, feed and flush. Each utterance is faded in and out, so that no join clicks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.audio.encode import LEAD_SAMPLES, SPEECH_RATE
from app.audio.filters import FilterStep, finished, mono_chain
from engines.types import Pcm, Samples

if TYPE_CHECKING:
    from av.filter.graph import Graph

QUIET_SHARE = 10 ** (-45 / 20)
"""Sound at the edges of an utterance counts as silence below this fraction of the peak (-45 dB)."""
EDGE_SECONDS = 0.03
"""Seconds of silence that are left at each edge of an utterance."""
FADE_SECONDS = 0.005
"""Seconds of the fade at each edge."""
PEAK_CEILING = 10 ** (-1 / 20)
"""The highest sample value: -1 dBFS."""


class UtteranceJoiner:
    """Joins the utterances of one answer to samples of 24 kHz."""

    def __init__(self, *, tempo: float, gain: float) -> None:
        """`tempo`: 2 is twice as fast, at the same pitch. `gain`: decibels."""
        self._tempo = tempo
        self._gain = gain
        self._graph: Graph | None = None
        self._rate = 0
        self._begun = False

    def feed(self, sound: Pcm, pause: float) -> Samples:
        """Adds an utterance. Returns the samples that are ready. `pause`: seconds of silence after the
        utterance.
        """
        spoken = trimmed(sound)
        early = self._reopen(sound.rate) if sound.rate != self._rate else np.zeros(0, np.float32)
        silence = np.zeros(int(pause * sound.rate), np.float32)
        later = self._push(np.concatenate([spoken, silence]))
        lead = np.zeros(0 if self._begun else LEAD_SAMPLES, np.float32)
        self._begun = True
        return np.concatenate([lead, early, later])

    def flush(self) -> Samples:
        """The samples that are left."""
        return self._reopen(0)

    def _reopen(self, rate: int) -> Samples:
        """Returns the samples that the filters have kept, and opens filters for another rate."""
        rest = _drained(self._graph) if self._graph else np.zeros(0, np.float32)
        self._graph = _filters(rate, self._tempo, self._gain) if rate else None
        self._rate = rate
        return rest

    def _push(self, samples: Samples) -> Samples:
        import av

        if not len(samples):
            return samples
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = self._rate
        assert self._graph  # opened by `feed`, which knows the rate
        self._graph.push(frame)
        return _pulled(self._graph)


def trimmed(sound: Pcm) -> Samples:
    """The utterance without the silence at both ends, faded in and out."""
    level = np.abs(sound.samples)
    peak = float(level.max(initial=0.0))
    heard = np.flatnonzero(level >= max(peak * QUIET_SHARE, 1e-4))
    if not len(heard):
        return np.zeros(0, np.float32)
    margin = int(EDGE_SECONDS * sound.rate)
    spoken = sound.samples[max(0, heard[0] - margin) : heard[-1] + 1 + margin].astype(np.float32)
    ramp = np.linspace(0, 1, min(int(FADE_SECONDS * sound.rate), len(spoken) // 2), dtype=np.float32)
    if len(ramp):
        spoken[: len(ramp)] *= ramp
        spoken[-len(ramp) :] *= ramp[::-1]
    return spoken


def _filters(rate: int, tempo: float, gain: float) -> Graph:
    steps: list[FilterStep] = [
        ("aresample", str(SPEECH_RATE)),
        *[("atempo", f"{step:.6f}") for step in _tempo_steps(tempo)],
    ]
    if gain:
        limit = f"limit={PEAK_CEILING:.4f}:level=false:latency=true"
        steps += [("volume", f"{gain:.2f}dB"), ("alimiter", limit)]
    return mono_chain(rate, [*steps, ("aformat", "sample_fmts=flt:channel_layouts=mono")])


def _tempo_steps(tempo: float) -> list[float]:
    """Factors of 0.5 to 2 whose product is `tempo`: with larger factors, FFmpeg's filter skips samples."""
    count = 1
    while not 0.5 <= tempo ** (1 / count) <= 2:
        count += 1
    return [tempo ** (1 / count)] * count if abs(tempo - 1) > 1e-3 else []


def _pulled(graph: Graph) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *finished(graph)])


def _drained(graph: Graph) -> Samples:
    graph.push(None)
    return _pulled(graph)
