"""Kokoro's network in three parts: ONNX Runtime computes what is said and with which pitch, OpenVINO computes
the vocoder (nine tenths of the work), and ONNX Runtime makes the sound from the vocoder's spectrum.

On CPUs that compute in bfloat16 it takes two thirds of the time of the whole graph in int8, and its sound is
nearer to that in float32 (docs/decisions/0015). Phases stay in float32: rounded, they would not be heard as
one tone.

Law: the inputs of the published graph in, its sound out.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines.common.evictable_arrays import EvictableArrays
from engines.common.onnx import session
from engines.common.openvino import compiled, give_back, where_it_suits
from engines.cores import cores
from engines.types import EngineOptions, Samples

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions
    from openvino import CompiledModel


class KokoroParts:
    """The network. Several threads may call it; their vocoders run one after the other."""

    def __init__(
        self,
        before: InferenceSession,
        vocoder: CompiledModel,
        after: InferenceSession,
        arrays: Sequence[EvictableArrays],
        weights: list[NDArray[np.uint16]],
    ) -> None:
        """`arrays`: where the weights are. `weights`: those of the vocoder."""
        self._arrays, self._weights = arrays, weights
        self._before = before
        self._given = [found.name for found in before.get_outputs()]
        self._vocoder = vocoder
        self._inference = vocoder.create_infer_request()
        self._after = after
        self._spectrum = after.get_inputs()[0].name
        self._lock = threading.Lock()

    def get_inputs(self) -> Any:
        return self._before.get_inputs()

    def run(self, names: None, inputs: Mapping[str, Any], options: RunOptions | None) -> list[Samples]:
        """As `InferenceSession.run`."""
        given = dict(zip(self._given, self._before.run(self._given, inputs, options), strict=True))
        with self._lock:
            spectrum = np.array(self._inference.infer(given, share_inputs=True)[0])
        return list(self._after.run(names, {self._spectrum: spectrum}, options))

    def rest(self) -> None:
        """Gives back what OpenVINO keeps for sentences as long as the last ones, and the weights: the next
        sentence reads those that it needs from their file.
        """
        with self._lock:
            for arrays in self._arrays:
                arrays.evict()
            give_back(self._vocoder)


def load_parts(model: Path, options: EngineOptions) -> KokoroParts | None:
    """The network. None if the options exclude OpenVINO, or if the CPU or the file does not suit it."""
    return where_it_suits(lambda: _load(model, options), options, "Kokoro")


def _load(model: Path, options: EngineOptions) -> KokoroParts:
    from engines.common.onnx_parts import StoredGraph
    from engines.kokoro.vocoder_network import SIZES, SPECTRUM, given, vocoder

    whole = StoredGraph.read(model)
    arrays, first_arrays = EvictableArrays(model), EvictableArrays(model)
    network, weights = vocoder(whole, arrays)
    ours = compiled(network, calls=1, threads=options.threads or cores(), group=0, shapes=0)
    del network
    first = whole.part({}, given())
    moved = first.move_large_arrays(model, first_arrays)
    before = session(first.message(), options, optimized=False, given=moved, packed=False)
    after = whole.part({SPECTRUM: SIZES[SPECTRUM]}, {whole.outputs[0]: ("samples",)})
    return KokoroParts(before, ours, session(after.message(), options), (arrays, first_arrays), weights)
