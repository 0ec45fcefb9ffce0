"""Utterances as an engine gives them -> one even stream: trimmed, joined, at one loudness and tempo.

Law: two verbs, feed and flush. Every join is a fade to silence, so nothing clicks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.audio.encode import LEAD, RATE
from engines.types import Pcm, Samples

if TYPE_CHECKING:
    from av import AudioFrame
    from av.filter.graph import Graph

QUIET = 10 ** (-45 / 20)
"""Part of the peak under which sound at the edges of an utterance is silence."""
MARGIN = 0.03
"""Seconds kept around what is heard."""
FADE = 0.005
"""Seconds."""
CEILING = 10 ** (-1 / 20)
"""Highest sample: -1 dBFS."""
UNHEARD = -70.0
"""LUFS of nothing (ITU-R BS.1770-4's absolute gate)."""


class Voicing:
    """One answer on its way from utterances to samples of 24 kHz."""

    def __init__(self, *, tempo: float, gain: float) -> None:
        """`tempo`: 2 is twice as fast, at the same pitch. `gain`: decibels."""
        self._tempo = tempo
        self._gain = gain
        self._graph: Graph | None = None
        self._rate = 0
        self._begun = False

    def feed(self, sound: Pcm, pause: float) -> Samples:
        """Samples that are ready. `pause`: seconds of silence after it."""
        spoken = trimmed(sound)
        early = self._reopen(sound.rate) if sound.rate != self._rate else np.zeros(0, np.float32)
        silence = np.zeros(int(pause * sound.rate), np.float32)
        later = self._push(np.concatenate([spoken, silence]))
        lead = np.zeros(0 if self._begun else LEAD, np.float32)
        self._begun = True
        return np.concatenate([lead, early, later])

    def flush(self) -> Samples:
        """Samples that are left."""
        return self._reopen(0)

    def _reopen(self, rate: int) -> Samples:
        """What the filters still hold; then filters for another rate."""
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
    """Without the silence at both ends, faded in and out."""
    level = np.abs(sound.samples)
    peak = float(level.max(initial=0.0))
    heard = np.flatnonzero(level >= max(peak * QUIET, 1e-4))
    if not len(heard):
        return np.zeros(0, np.float32)
    margin = int(MARGIN * sound.rate)
    found = sound.samples[max(0, heard[0] - margin) : heard[-1] + 1 + margin].astype(np.float32)
    ramp = np.linspace(0, 1, min(int(FADE * sound.rate), len(found) // 2), dtype=np.float32)
    if len(ramp):
        found[: len(ramp)] *= ramp
        found[-len(ramp) :] *= ramp[::-1]
    return found


def loudness(sound: Pcm) -> float:
    """Integrated loudness in LUFS (EBU R 128), `UNHEARD` for silence or less than 0.4 s."""
    graph = _graph(sound.rate, [("ebur128", "metadata=1")])
    import av

    frame = av.AudioFrame.from_ndarray(sound.samples[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate = sound.rate
    graph.push(frame)
    found = UNHEARD
    for measured in _frames(graph):
        found = float(measured.metadata.get("lavfi.r128.I", found))
    return found


def _filters(rate: int, tempo: float, gain: float) -> Graph:
    steps = [("aresample", str(RATE)), *[("atempo", f"{step:.6f}") for step in _tempo_steps(tempo)]]
    if gain:
        limit = f"limit={CEILING:.4f}:level=false:latency=true"
        steps += [("volume", f"{gain:.2f}dB"), ("alimiter", limit)]
    return _graph(rate, [*steps, ("aformat", "sample_fmts=flt:channel_layouts=mono")])


def _tempo_steps(tempo: float) -> list[float]:
    """Factors of 0.5 to 2, where the filter blends and drops no samples."""
    count = 1
    while not 0.5 <= tempo ** (1 / count) <= 2:
        count += 1
    return [tempo ** (1 / count)] * count if abs(tempo - 1) > 1e-3 else []


def _graph(rate: int, steps: Sequence[tuple[str, str | None]]) -> Graph:
    from av.filter import Graph

    graph = Graph()
    last = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
    for name, options in [*steps, ("abuffersink", None)]:
        step = graph.add(name, options)
        last.link_to(step)
        last = step
    graph.configure()
    return graph


def _frames(graph: Graph) -> Iterator[AudioFrame]:
    """Frames that have come through."""
    import av

    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return
        assert isinstance(frame, av.AudioFrame)  # no filter here makes pictures
        yield frame


def _pulled(graph: Graph) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *(f.to_ndarray().reshape(-1) for f in _frames(graph))])


def _drained(graph: Graph) -> Samples:
    graph.push(None)
    return _pulled(graph)
