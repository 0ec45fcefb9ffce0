"""Whisper's encoder on OpenVINO, with the weights of a CTranslate2 model.

On CPUs that compute in bfloat16 it takes a half to three quarters of the time of CTranslate2's own encoder,
and its results are as near to those in float32 (docs/decisions/0015). The network is that of Radford et al.
2022, section 2.2: two convolutions, positions, layers of attention and of two linear layers.

Law: features in, encodings out; what they are used for is not known here.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engines.common.openvino import compiled, give_back
from engines.cores import cores
from engines.openvino_library import computes_in_bfloat16, import_openvino
from engines.types import EngineOptions, Samples
from engines.whisper.ctranslate2_weights import UnknownLayout, Weights, read_arrays
from engines.whisper.device import workers
from engines.whisper.network_parts import NetworkParts
from engines.whisper.rows import FRAMES_PER_POSITION, MEASURED_WIDTHS

if TYPE_CHECKING:
    from openvino import CompiledModel, Model, Node

log = logging.getLogger(__name__)
MODEL_FILE = "model.bin"
QUANTISED_GROUP = 128
"""Values that are rounded to int8 with one scale. With 512 the encoder takes 4 % less time, and its error is
larger by a fifth.
"""
KERNEL_FRAMES = 3
"""Frames that a convolution looks at."""


class OpenVinoEncoder:
    """Encodes features. Several threads may call it at once."""

    def __init__(self, network: CompiledModel, width: int) -> None:
        self._network = network
        self._width = width
        self._own = threading.local()

    def encode(self, features: Samples) -> Samples:
        """(rows, mel bands, frames) -> (rows, positions, width); a position is two frames."""
        tensor = import_openvino().Tensor
        rows, _, frames = features.shape
        result = np.empty((rows, -(-frames // FRAMES_PER_POSITION), self._width), np.float32)
        request = self._request()
        request.set_output_tensor(tensor(result, shared_memory=True))
        request.infer([np.ascontiguousarray(features, np.float32)], share_inputs=True, share_outputs=True)
        return result

    def rest(self) -> None:
        """Gives back what inferences of several lengths have left."""
        give_back(self._network)

    def _request(self) -> Any:
        """The inference of this thread: one can be used by one thread at a time."""
        if not hasattr(self._own, "request"):
            self._own.request = self._network.create_infer_request()
        return self._own.request


def load_encoder(folder: Path, options: EngineOptions) -> OpenVinoEncoder | None:
    """The encoder of the model in `folder`; None where the model was not measured, or where OpenVINO, the CPU
    or the file does not suit.
    """
    calls, threads = workers(options, cores())
    try:
        if not computes_in_bfloat16():
            return None
        weights = Weights(read_arrays(folder / MODEL_FILE), "encoder")
        width = len(weights["conv2/bias"])
        if width not in MEASURED_WIDTHS:
            return None
        network = compiled(network_of(weights), calls=calls, threads=threads, group=QUANTISED_GROUP)
    except (ImportError, UnknownLayout, RuntimeError) as reason:
        log.info("the encoder of CTranslate2 is used, which takes longer: %s", " ".join(str(reason).split()))
        return None
    return OpenVinoEncoder(network, width)


def network_of(weights: Weights) -> Model:
    """The encoder's network: (rows, mel bands, frames) -> (rows, positions, width)."""
    openvino = import_openvino()
    graph = NetworkParts(weights)
    bands, width = weights["conv1/weight"].shape[1], len(weights["conv2/bias"])
    features = graph.ops.parameter(openvino.PartialShape([-1, bands, -1]), np.float32, name="features")
    x = _convolution(graph, _convolution(graph, features, "conv1", 1), "conv2", FRAMES_PER_POSITION)
    x = _with_positions(graph, graph.ops.transpose(x, graph.constant([0, 2, 1])))
    for number in range(weights.layers):
        x = _attention(graph, x, f"layer_{number}", width)
        x = graph.feed_forward(x, f"layer_{number}")
    return openvino.Model([graph.normalised(x, "layer_norm")], [features], "encoder")


def _convolution(graph: NetworkParts, x: Node, name: str, stride: int) -> Node:
    pad = KERNEL_FRAMES // 2
    weight = graph.constant(graph.weights[f"{name}/weight"])
    bias = graph.constant(graph.weights[f"{name}/bias"][None, :, None])
    summed = graph.ops.add(graph.ops.convolution(x, weight, [stride], [pad], [pad], [1]), bias)
    return graph.ops.gelu(summed, "ERF")


def _with_positions(graph: NetworkParts, x: Node) -> Node:
    """Adds the encodings of the positions that there are."""
    count = graph.ops.gather(graph.ops.shape_of(x), graph.constant([1]), graph.constant(0))
    known = graph.constant(graph.weights["position_encodings/encodings"])
    one, none = graph.constant([1]), graph.constant([0])
    return graph.ops.add(x, graph.ops.slice(known, none, count, one, none))


def _attention(graph: NetworkParts, x: Node, layer: str, width: int) -> Node:
    """The self-attention of a layer, with what goes around it."""
    weights, heads = graph.weights, graph.weights.number("num_heads")
    name = f"{layer}/self_attention"
    matrix, bias = weights.matrix(f"{name}/linear_0/weight"), weights[f"{name}/linear_0/bias"]
    balance = graph.balance(f"{name}/layer_norm", matrix)
    y, matrix = graph.normalised(x, f"{name}/layer_norm", balance), matrix.columns_times(balance)

    def part(number: int, scale: float = 1.0) -> Node:
        rows = slice(number * width, (number + 1) * width)
        made = graph.product(y, matrix.rows(rows).times(scale), bias[rows] * scale)
        return graph.split_heads(made, heads, width)

    queries, keys, values = part(0, float(width // heads) ** -0.5), part(1), part(2)
    shares = graph.ops.softmax(graph.ops.matmul(queries, keys, transpose_a=False, transpose_b=True), -1)
    seen = graph.join_heads(graph.ops.matmul(shares, values, transpose_a=False, transpose_b=False), width)
    return graph.ops.add(x, graph.linear(seen, f"{name}/linear_1"))
