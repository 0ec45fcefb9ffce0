"""Silero VAD v6: the probability of speech for each 32 ms.

The weights come with faster-whisper (MIT; https://github.com/snakers4/silero-vad).
Law: this file knows how to call the network, and not what the probabilities are used for.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np

from engines.errors import import_failure
from engines.silero.network import Network, State
from engines.types import Samples

FRAME_SAMPLES = 512
"""Samples that one probability covers (32 ms)."""
CONTEXT_SAMPLES = 64
"""Last samples of the previous frame, which the network gets before each frame."""
SILENCE_PEAK = 1e-4
"""Peak below which a frame is silence (-80 dBFS)."""
FRAMES_AT_ONCE = 32
"""Frames of one call of the network: more take as long each, and memory that the heap of each thread then
keeps.
"""
SKIPPED_AFTER = 32
"""Silent frames in a row (about a second) after which the network is not run, and its state is reset."""


class Silero:
    """One network, shared by any number of streams."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def open(self) -> SileroStream:
        return SileroStream(self._network)


class SileroStream:
    """The detector for one recording, with its recurrent state."""

    frame = FRAME_SAMPLES

    def __init__(self, network: Network) -> None:
        self._network = network
        self._rest: Samples = np.zeros(0, np.float32)
        self._silent = 0
        self._reset()

    def _reset(self) -> None:
        self._state = State.zero()
        self._context: Samples = np.zeros(CONTEXT_SAMPLES, np.float32)

    def feed(self, samples: Samples) -> Samples:
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) - len(joined) % FRAME_SAMPLES
        self._rest = joined[whole:].copy()  # without the rest of the block
        return self._run(joined[:whole])

    def flush(self) -> Samples:
        if not len(self._rest):
            return np.zeros(0, np.float32)
        padded = np.pad(self._rest, (0, FRAME_SAMPLES - len(self._rest)))
        self._rest = np.zeros(0, np.float32)
        return self._run(padded)

    def _run(self, samples: Samples) -> Samples:
        """The probabilities of all frames. Long silence is skipped frame by frame, so that the result does
        not depend on the size of blocks.
        """
        frames = samples.reshape(-1, FRAME_SAMPLES)
        chances = np.zeros(len(frames), np.float32)
        for begin, end, asleep in self._stretches(frames):
            if asleep:
                self._reset()
                continue
            for at in range(begin, end, FRAMES_AT_ONCE):
                until = min(at + FRAMES_AT_ONCE, end)
                chances[at:until] = self._infer(frames[at:until])
        return chances

    def _stretches(self, frames: Samples) -> Iterator[tuple[int, int, bool]]:
        """Start and end of runs of frames, and whether each run is part of a long silence."""
        asleep = np.zeros(len(frames), bool)
        for index, silent in enumerate(np.abs(frames).max(axis=1, initial=0.0) < SILENCE_PEAK):
            self._silent = self._silent + 1 if silent else 0
            asleep[index] = self._silent > SKIPPED_AFTER
        edges = [0, *(np.flatnonzero(np.diff(asleep)) + 1).tolist(), len(frames)]
        for begin, end in pairwise(edges):
            if end > begin:
                yield begin, end, bool(asleep[begin])

    def _infer(self, frames: Samples) -> Samples:
        before = np.concatenate([self._context[None], frames[:-1, -CONTEXT_SAMPLES:]])
        self._context = frames[-1, -CONTEXT_SAMPLES:].copy()  # without the rest of the block
        chances, self._state = self._network.run(np.concatenate([before, frames], 1), self._state)
        return chances


def load() -> Silero:
    """Loads the network. Raises `EngineMissing` without faster-whisper, and `WeightsBroken`."""
    try:
        path = _file()
    except ImportError as failure:
        raise import_failure(failure, "silero", "whisper") from failure
    return Silero(Network.read(path))


def _file() -> Path:
    """The network's file in faster-whisper, which is not imported: its libraries would add 6 MB to the
    server. Raises `ModuleNotFoundError`.
    """
    found = find_spec("faster_whisper")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("faster_whisper")
    return Path(found.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"
