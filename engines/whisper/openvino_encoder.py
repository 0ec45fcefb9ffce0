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

from engines.common.evictable_arrays import EvictableArrays
from engines.common.openvino import compiled, give_back
from engines.cores import cores
from engines.openvino_library import bfloat16_is_quicker, computes_in_bfloat16, import_openvino
from engines.types import EngineOptions, Samples
from engines.whisper.attended_silence import POSITION_STEP, AttendedSilence, no_silence
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
FIRST_SILENT_INPUT = 2
"""The network's inputs before the keys and values of silence."""


class OpenVinoEncoder:
    """Encodes features, one row at a time. Several threads may call it at once."""

    def __init__(self, network: CompiledModel, width: int, arrays: EvictableArrays | None = None) -> None:
        """`arrays`: those that the network is made of."""
        self._network = network
        self._width = width
        self._arrays = arrays
        self._layers = (len(network.inputs) - FIRST_SILENT_INPUT) // 2
        self._own = threading.local()

    def encode(self, features: Samples, silence: AttendedSilence | None = None) -> Samples:
        """(1, mel bands, frames) -> (1, positions, width); a position is two frames.

        `silence`: follows on the features, up to the end of the longest window.
        """
        return self._run(features, silence or no_silence(self._layers, self._width))[0]

    def encode_silence(self, features: Samples) -> tuple[Samples, AttendedSilence]:
        """Encodes the longest window, of nothing but silence. Also for `encode`."""
        encoded, request = self._run(features, no_silence(self._layers, self._width))
        parts = [request.get_output_tensor(number).data for number in range(2 * self._layers)]
        kept = [part.view(np.uint16).copy() for part in parts]
        return encoded, AttendedSilence(kept, encoded.shape[1])

    def _run(self, features: Samples, silence: AttendedSilence) -> tuple[Samples, Any]:
        """The encodings, and the inference, which has the keys and values."""
        tensor, bfloat16 = import_openvino().Tensor, import_openvino().Type.bf16
        positions = -(-features.shape[2] // FRAMES_PER_POSITION)
        result = np.empty((1, positions, self._width), np.float32)
        request = self._request()
        request.set_output_tensor(2 * self._layers, tensor(result, shared_memory=True))
        given = np.ascontiguousarray(features, np.float32), silence.counts(positions)[None, None, None]
        for number, values in enumerate(given):
            request.set_input_tensor(number, tensor(values, shared_memory=True))
        for number, halves in enumerate(silence.after(positions), FIRST_SILENT_INPUT):
            request.set_input_tensor(number, tensor(halves, halves.shape, bfloat16))
        request.infer()
        return result, request

    def rest(self) -> None:
        """Gives back what inferences of several lengths have left, and the weights that are kept twice."""
        self._own = threading.local()  # an inference keeps its results
        give_back(self._network)
        if self._arrays:
            self._arrays.evict()

    def _request(self) -> Any:
        """The inference of this thread: one can be used by one thread at a time."""
        own = self._own
        if not hasattr(own, "request"):
            own.request = self._network.create_infer_request()
        return own.request


def load_encoder(folder: Path, options: EngineOptions) -> OpenVinoEncoder | None:
    """The encoder of the model in `folder`; None where the model was not measured, or where OpenVINO, the CPU
    or the file does not suit.
    """
    calls, threads = sharing(*workers(options, cores()))
    try:
        if not computes_in_bfloat16():
            return None
        weights = Weights(read_arrays(folder / MODEL_FILE), "encoder")
        width = len(weights["conv2/bias"])
        if width not in MEASURED_WIDTHS:
            return None
        arrays = EvictableArrays(folder / MODEL_FILE)
        network = compiled(
            network_of(weights, arrays),
            calls=calls,
            threads=threads,
            group=QUANTISED_GROUP,
            precision="bf16" if bfloat16_is_quicker() else "f32",
        )
    except (ImportError, UnknownLayout, RuntimeError) as reason:
        log.info("the encoder of CTranslate2 is used, which takes longer: %s", " ".join(str(reason).split()))
        return None
    return OpenVinoEncoder(network, width, arrays)


def sharing(calls: int, threads: int) -> tuple[int, int]:
    """Encodings at once, and threads of each, for so many batches at once with so many threads each.

    Two single threads work together on each encoding, which are long enough for that: a window that is alone
    has its encoding sooner, and several have theirs one after the other.
    """
    return (calls // 2, 2) if threads == 1 and calls % 2 == 0 else (calls, threads)


def network_of(weights: Weights, arrays: EvictableArrays | None = None) -> Model:
    """The encoder's network.

    Inputs: features (1, mel bands, frames); what is added to the logits of attention for each key (1, 1, 1,
    keys); then for each layer keys and values of positions that are not encoded (1, positions, width), in
    bfloat16. Results: the keys and values of each layer, of those positions that are kept of silence; then
    the encodings (1, positions, width). OpenVINO computes results in their order: with the encodings first,
    it would keep the keys and values of all layers until the end.
    """
    openvino = import_openvino()
    graph = NetworkParts(weights, arrays)
    bands, width = weights["conv1/weight"].shape[1], len(weights["conv2/bias"])
    features = graph.ops.parameter(openvino.PartialShape([1, bands, -1]), np.float32, name="features")
    counts = graph.ops.parameter(openvino.PartialShape([1, 1, 1, -1]), np.float32, name="counts")
    x = _convolution(graph, _convolution(graph, features, "conv1", 1), "conv2", FRAMES_PER_POSITION)
    x = _with_positions(graph, graph.ops.transpose(x, graph.constant([0, 2, 1])))
    inputs, made = [features, counts], []
    for number in range(weights.layers):
        sizes = openvino.PartialShape([1, -1, width])
        silent = [graph.ops.parameter(sizes, openvino.Type.bf16, name=f"{kind}{number}") for kind in "kv"]
        x, own = _attention(graph, x, f"layer_{number}", counts, silent)
        x = graph.feed_forward(x, f"layer_{number}")
        inputs += silent
        made += [graph.ops.convert(_some_positions(graph, one), "bf16") for one in own]
    results = [*made, graph.normalised(x, "layer_norm")]
    return openvino.Model([graph.ops.result(one) for one in results], inputs, "encoder")


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


def _some_positions(graph: NetworkParts, x: Node) -> Node:
    """Each tenth one, so that little leaves the network: it is needed once, and made in each inference."""
    first, after_last, step, axis = ([0], [np.iinfo(np.int32).max], [POSITION_STEP], [1])
    return graph.ops.slice(x, *(graph.constant(one) for one in (first, after_last, step, axis)))


def _attention(
    graph: NetworkParts, x: Node, layer: str, counts: Node, silent: list[Node]
) -> tuple[Node, list[Node]]:
    """The self-attention of a layer, with what goes around it; also its keys and values.

    `silent`: keys and values of positions that are attended to and not encoded.
    """
    ops, weights, name = graph.ops, graph.weights, f"{layer}/self_attention"
    matrix, bias = weights.matrix(f"{name}/linear_0/weight"), weights[f"{name}/linear_0/bias"]
    heads, width = weights.number("num_heads"), len(bias) // 3  # of queries, keys and values
    balance = graph.balance(f"{name}/layer_norm", matrix)
    y, matrix = graph.normalised(x, f"{name}/layer_norm", balance), matrix.columns_times(balance)

    def part(number: int, scale: float = 1.0) -> Node:
        rows = slice(number * width, (number + 1) * width)
        return graph.product(y, matrix.rows(rows).times(scale), bias[rows] * scale)

    queries, own = part(0, float(width // heads) ** -0.5), [part(1), part(2)]
    joined = [ops.concat([a, ops.convert(b, "f32")], 1) for a, b in zip(own, silent, strict=True)]
    asked, keys, values = (graph.split_heads(one, heads, width) for one in (queries, *joined))
    logits = ops.add(ops.matmul(asked, keys, transpose_a=False, transpose_b=True), counts)
    seen = ops.matmul(ops.softmax(logits, -1), values, transpose_a=False, transpose_b=False)
    return ops.add(x, graph.linear(graph.join_heads(seen, width), f"{name}/linear_1")), own
