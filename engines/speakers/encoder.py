"""A speaker's vector from their speech: filter banks and CAM++ on ONNX Runtime.

Law: sound in, one unit vector out; thresholds belong to the callers that compare vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engines.common.onnx import session, shrinking
from engines.common.resting_session import RestingSession, resting_graph
from engines.errors import WeightsBroken
from engines.heap import return_free_memory
from engines.speakers import campplus, safe_unpickling
from engines.speakers.filter_banks import bands
from engines.speakers.similar_voices import LocalSpeaker, Mask, RunBook, local_speakers
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, Samples

WEIGHTS = "campplus_cn_en_common.pt"
"""Name of the encoder's file in the model's folder."""
SHORTEST_SAMPLES = SAMPLE_RATE // 2
"""The network needs so many samples; shorter sound is padded with silence."""


def network(
    path: Path,
    graph: Callable[[Mapping[str, Any]], bytes],
    options: EngineOptions,
    key: str = "",
    *,
    rests: bool = False,
) -> Any:
    """A session of the graph that is made of a checkpoint. `key`: where its arrays lie in the file. `rests`:
    it can give its weights back, on a CPU.

    Raises `WeightsBroken`.
    """
    model = graph(_arrays(path, key))
    return_free_memory()  # frees the arrays and the graph's parts before the session copies them
    # One thread: more of them wait in busy loops on cores that others use, and gain little on small networks.
    options = replace(options, threads=options.threads or 1)
    if rests and options.device != "cuda":
        return resting_graph(model, path, options)
    return session(model, options, memory_plans=False)


def _arrays(path: Path, key: str) -> dict[str, Any]:
    arrays = safe_unpickling.read(path)
    arrays = arrays.get(key) if key and isinstance(arrays, dict) else arrays
    if not isinstance(arrays, dict):
        raise WeightsBroken(f"The checkpoint `{path.name}` holds no arrays by their names.")
    return arrays


def load(folder: Path, options: EngineOptions) -> CamPlusPlus:
    """Loads the encoder from its folder. Raises `WeightsBroken`."""
    made = network(folder / WEIGHTS, campplus.graph, options, rests=True)
    encoder = CamPlusPlus(made, shrinking(options))
    return_free_memory()
    return encoder


class CamPlusPlus:
    """The speaker encoder. It processes each run of speech once."""

    def __init__(self, network: Any, shrink: Any = None) -> None:
        """`shrink`: options of a run after which the network keeps no memory for the next one."""
        self._network = network
        self._shrink = shrink

    def speakers(self, window: Samples, active: Mask, start: float, book: RunBook) -> list[LocalSpeaker]:
        at = np.arange(len(window)) * len(active) // len(window)
        frame = len(window) / SAMPLE_RATE / len(active)
        return local_speakers(active, start, frame, book, lambda frames: self._vector(window[frames[at]]))

    def embed(self, sound: Pcm) -> Samples:
        """A unit vector. `sound`: speech of `SAMPLE_RATE` hertz without long silence."""
        return self._vector(np.pad(sound.samples, (0, max(0, SHORTEST_SAMPLES - len(sound.samples)))))

    def rest(self) -> None:
        """Gives back what ONNX Runtime keeps for speech as long as the longest before, by a short run, and
        the weights.
        """
        if self._shrink:
            heard = bands(np.zeros(SHORTEST_SAMPLES, np.float32))
            self._network.run(None, {"bands": heard[None]}, self._shrink)
        if isinstance(self._network, RestingSession):
            self._network.rest()

    def close(self) -> None:
        self._network = None

    def _vector(self, samples: Samples) -> Samples:
        """The unit vector of samples. Subtracting the mean of each band (cepstral mean normalisation) removes
        the channel.
        """
        heard = bands(samples)
        found = self._network.run(None, {"bands": (heard - heard.mean(axis=0))[None]})[0][0]
        return np.asarray(found / max(float(np.linalg.norm(found)), 1e-12), np.float32)
