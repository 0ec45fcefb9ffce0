"""Kokoro's network in three parts: ONNX Runtime computes what is said and with which pitch, OpenVINO computes
the vocoder (nine tenths of the work), and ONNX Runtime makes the sound from the vocoder's spectrum.

On CPUs that compute in bfloat16 it takes two thirds of the time of the whole graph in int8, and its sound is
nearer to that in float32 (docs/decisions/0015). Phases stay in float32: rounded, they would not be heard as
one tone.

Law: the inputs of the published graph in, its sound out.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.common.onnx import session
from engines.common.openvino import compiled, give_back, where_it_suits
from engines.cores import cores
from engines.openvino_library import import_openvino
from engines.types import EngineOptions, Samples

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, RunOptions
    from openvino import CompiledModel

    from engines.common.onnx_parts import Sizes, StoredGraph

SPECTRUM = "/decoder/decoder/generator/conv_post/Conv_output_0"
FOR_VOCODER: dict[str, Sizes] = {
    "/decoder/decoder/decode.3/Div_4_output_0": (1, 512, "frames"),
    "/decoder/decoder/generator/Concat_3_output_0": (1, 22, "tones"),
}
"""What the vocoder needs beside the voice, with its shapes: what is said, and the spectrum of the pitch."""
VOICE = re.compile(r"/decoder/decoder/generator/.+/fc/Gemm_output_0")
"""Names of what it needs of the voice: the factors and summands of each of its normalisations."""


class KokoroParts:
    """The network. Several threads may call it; their vocoders run one after the other."""

    def __init__(self, before: InferenceSession, vocoder: CompiledModel, after: InferenceSession) -> None:
        self._before = before
        self._given = [found.name for found in before.get_outputs()]
        self._vocoder = vocoder
        self._inference = vocoder.create_infer_request()
        self._after = after
        self._lock = threading.Lock()

    def get_inputs(self) -> Any:
        return self._before.get_inputs()

    def run(self, names: None, inputs: Mapping[str, Any], options: RunOptions | None) -> list[Samples]:
        """As `InferenceSession.run`."""
        given = dict(zip(self._given, self._before.run(self._given, inputs, options), strict=True))
        with self._lock:
            spectrum = np.array(self._inference.infer(given, share_inputs=True)[0])
        return list(self._after.run(names, {SPECTRUM: spectrum}, options))

    def rest(self) -> None:
        """Gives back what OpenVINO keeps for sentences as long as the last ones."""
        with self._lock:
            give_back(self._vocoder)


def load_parts(model: Path, options: EngineOptions) -> KokoroParts | None:
    """The network. None if the options exclude OpenVINO, or if the CPU or the file does not suit it."""
    return where_it_suits(lambda: _load(model, options), options, "Kokoro")


def _load(model: Path, options: EngineOptions) -> KokoroParts:
    before, vocoder, after = _parts(model)
    network = import_openvino().Core().read_model(vocoder)
    del vocoder
    ours = compiled(network, calls=1, threads=options.threads or cores(), group=0, shapes=0)
    return KokoroParts(session(before, options, optimized=False), ours, session(after, options))


def _parts(model: Path) -> tuple[bytes, bytes, bytes]:
    """The graphs of the three parts."""
    from engines.common.onnx_parts import StoredGraph
    from engines.common.quick_operators import with_bfloat16_weights, with_quick_operators
    from engines.kokoro.float_weights import with_float_products

    whole = StoredGraph.read(model)
    given, spectrum = {**FOR_VOCODER, **_voice(whole)}, {SPECTRUM: (1, 22, "tones")}
    after = whole.part(spectrum, {whole.outputs[0]: ("samples",)})
    vocoder = whole.part(given, spectrum)
    with_float_products(vocoder)
    with_quick_operators(vocoder)
    with_bfloat16_weights(vocoder)
    return whole.part({}, given).message(), vocoder.part(given, spectrum).message(), after.message()


def _voice(graph: StoredGraph) -> dict[str, Sizes]:
    """The arrays of the voice that the vocoder needs, with their shapes: products plus a constant."""
    return {
        node.output[0]: (1, len(graph[name]))
        for node in graph.nodes
        if VOICE.fullmatch(node.output[0])
        for name in node.input
        if name in graph
    }
