"""Kokoro's vocoder as OpenVINO operations, made from the arrays of the published graph.

OpenVINO could read the graph itself, but with twice as many nodes, and their number decides how long it takes
to load. It is the generator of iSTFTNet (Kaneko and others 2022, https://arxiv.org/abs/2203.02395), with
activations that are x + sin²(ax)/a (Liu and others 2020, https://arxiv.org/abs/2006.08195).

Law: the published graph goes in, and a network comes out that is neither compiled nor run here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engines.common.convolution_forms import upsampling_kernel
from engines.common.evictable_arrays import EvictableArrays
from engines.common.onnx_parts import Sizes, StoredGraph, UnknownGraph, as_bfloat16, attributes
from engines.common.quick_operators import doubles_its_stride
from engines.kokoro.float_weights import Convolution, Convolutions
from engines.openvino_library import import_openvino

if TYPE_CHECKING:
    from onnx import NodeProto
    from openvino import Model, Node

PREFIX = "/decoder/decoder/generator/"
SAID = "/decoder/decoder/decode.3/Div_4_output_0"
TONES = f"{PREFIX}Concat_3_output_0"
SPECTRUM = f"{PREFIX}conv_post/Conv_output_0"
SIZES: dict[str, Sizes] = {SAID: (1, 512, "frames"), TONES: (1, 22, "tones"), SPECTRUM: (1, 22, "tones")}
"""What is said, the spectrum of the pitch, and the spectrum of the sound that is made of both."""
STAGE_WIDTHS = (256, 128)
BLOCKS_OF_STAGE, ROUNDS_OF_BLOCK = 3, 3
FACTOR, SUMMAND = "Add_1_output_0", "Slice_1_output_0"
"""What the voice gives each normalisation."""
MEASURED = {"ConvInteger": 50, "ConvTranspose": 2, "Conv": 1, "Sin": 48, "LeakyRelu": 3, "Pad": 1}
"""How many nodes of each of these kinds the published vocoder has. Graphs with other numbers of them are
refused.
"""
VARIANCE_EPSILON = 1e-5
COSINE_FACTORS = (0.248439211, -2.48229716, -0.530834754)
"""For distances d up to 1/2, cos(pi·d/2) is the first of them times (d² plus the second)², plus the third.
This is exact to a hundredth of the steps of bfloat16.
"""


def given() -> dict[str, Sizes]:
    """The inputs of the network and their shapes."""
    sizes = {name: SIZES[name] for name in (SAID, TONES)}
    for stage, width in enumerate(STAGE_WIDTHS):
        for block in (f"noise_res.{stage}", *_blocks(stage)):
            for norm in (f"adain{which}.{number}" for number in range(ROUNDS_OF_BLOCK) for which in (1, 2)):
                sizes |= {f"{PREFIX}{block}/{norm}/{of}": (1, width, 1) for of in (FACTOR, SUMMAND)}
    return sizes


def vocoder(graph: StoredGraph, arrays: EvictableArrays) -> tuple[Model, list[NDArray[np.uint16]]]:
    """The network that makes `SPECTRUM`, and its weights in `arrays`, which must live as long as the network.
    Raises `UnknownGraph`.
    """
    part = graph.part(given(), {SPECTRUM: SIZES[SPECTRUM]})
    found = Counter(node.op_type for node in part.nodes)
    if any(found[kind] != count for kind, count in MEASURED.items()):
        raise UnknownGraph("The vocoder is not the one that was measured.")
    made = _Vocoder(part, arrays)
    return made.model(), made.kept


def _blocks(stage: int) -> list[str]:
    return [f"resblocks.{stage * BLOCKS_OF_STAGE + number}" for number in range(BLOCKS_OF_STAGE)]


class _Vocoder:
    """Makes the nodes of one network."""

    def __init__(self, graph: StoredGraph, arrays: EvictableArrays) -> None:
        self._arrays = arrays
        self.kept: list[NDArray[np.uint16]] = []
        self._openvino = import_openvino()
        from openvino import opset13

        self._ops: Any = opset13
        self._graph = graph
        self._makers = graph.makers
        self._convolutions = Convolutions(graph)
        self._axis = self._whole(2)
        self._numbers: dict[float, Node] = {}
        self._inputs = {name: self._input(name, sizes) for name, sizes in given().items()}

    def model(self) -> Model:
        x, tones = self._inputs[SAID], self._inputs[TONES]
        for stage in range(len(STAGE_WIDTHS)):
            pitch = self._convolved(tones, self._convolutions[f"{PREFIX}noise_convs.{stage}/Conv_output_0"])
            pitch = self._block(pitch, self._flat(pitch), f"noise_res.{stage}")
            x = self._upsampled(self._leaky(x, f"LeakyRelu{f'_{stage}' if stage else ''}"), f"ups.{stage}")
            if stage == len(STAGE_WIDTHS) - 1:
                begins, ends = self._whole(0, 0, 1), self._whole(0, 0, 0)
                x = self._ops.pad(x, begins, ends, "reflect")
            x = self._ops.add(x, pitch)
            x = self._mean(
                [self._block(x, flat, block) for flat in [self._flat(x)] for block in _blocks(stage)]
            )
        x = self._convolved(self._leaky(x, f"LeakyRelu_{len(STAGE_WIDTHS)}"), self._convolutions[SPECTRUM])
        return self._openvino.Model([x], list(self._inputs.values()), "vocoder")

    def _input(self, name: str, sizes: Sizes) -> Node:
        shape = self._openvino.PartialShape([size if isinstance(size, int) else -1 for size in sizes])
        made = self._ops.parameter(shape, np.float32)
        made.output(0).get_tensor().set_names({name})
        return made

    def _whole(self, *numbers: int) -> Node:
        return self._ops.constant(np.array(numbers))

    def _number(self, values: NDArray[np.generic] | float | list[float]) -> Node:
        return self._ops.constant(np.asarray(values, np.float32))

    def _scalar(self, value: float) -> Node:
        if value not in self._numbers:
            self._numbers[value] = self._number(value)
        return self._numbers[value]

    def _rounded(self, bits: NDArray[np.uint16]) -> Node:
        """A constant in bfloat16. OpenVINO would round float32 by itself, but would keep both."""
        kept = self._arrays.new((bits.nbytes,)).view(np.uint16)
        kept[:] = bits.reshape(-1)
        self.kept.append(kept)
        tensor = self._openvino.Tensor(kept, self._openvino.Shape(bits.shape), self._openvino.Type.bf16)
        return self._openvino.op.Constant(tensor, shared_memory=True)

    def _convolved(self, x: Node, of: Convolution) -> Node:
        half = len(of.pads) // 2
        before, after = of.pads[:half], of.pads[half:]
        weights, bias = self._rounded(of.weights), self._number(of.bias[None, :, None])
        made = self._ops.convolution(
            self._ops.convert(x, "bf16"), weights, of.strides, before, after, of.dilations
        )
        return self._ops.convert(self._ops.add(made, self._ops.convert(bias, "bf16")), "f32")

    def _flat(self, x: Node) -> Node:
        return self._ops.mvn(
            x, self._axis, normalize_variance=True, eps=VARIANCE_EPSILON, eps_mode="INSIDE_SQRT"
        )

    def _block(self, x: Node, flat: Node, name: str) -> Node:
        """A block of convolutions whose results are added to `x`. `flat`: `x`, normalised."""
        for number in range(ROUNDS_OF_BLOCK):
            y = flat if number == 0 else self._flat(x)
            for which in (1, 2):
                y = self._flat(y) if which == 2 else y
                y = self._active(y, name, f"{which}.{number}")
                y = self._convolved(
                    y, self._convolutions[f"{PREFIX}{name}/convs{which}.{number}/Conv_output_0"]
                )
            x = self._ops.add(y, x)
        return x

    def _active(self, flat: Node, block: str, number: str) -> Node:
        """The voice's factor and summand, and the activation."""
        ops, norm = self._ops, f"{PREFIX}{block}/adain{number}"
        y = ops.add(ops.multiply(self._inputs[f"{norm}/{FACTOR}"], flat), self._inputs[f"{norm}/{SUMMAND}"])
        a = self._graph[f"{PREFIX}{block}.alpha{number}".replace("/", ".")[1:]].astype(np.float32)
        turns = ops.multiply(ops.floor_mod(y, self._number(np.pi / a)), self._number(a / np.pi))
        return ops.add(y, ops.multiply(self._squared_sine(turns), self._number(1 / a)))

    def _squared_sine(self, turns: Node) -> Node:
        """sin²(pi·turns), of turns up to one, which is cos²(pi·d) for the distance d from a half turn.

        Each step needs only the result of the one before, so that OpenVINO computes all of them in one pass
        over the memory. Its own sine takes several times as long.
        """
        factor, shift, offset = COSINE_FACTORS
        inner = self._squared(self._squared(turns, 1, -0.5), 1, shift)
        return self._squared(self._squared(inner, factor, offset), 2, -1)  # cos(2x) is 2cos²(x) - 1

    def _squared(self, x: Node, factor: float, summand: float) -> Node:
        """(factor·x + summand)²"""
        scaled = x if factor == 1 else self._ops.multiply(x, self._scalar(factor))
        return self._ops.power(self._ops.add(scaled, self._scalar(summand)), self._scalar(2))

    def _leaky(self, x: Node, name: str) -> Node:
        slope = attributes(self._maker(f"{PREFIX}{name}_output_0")).get("alpha", 0.01)
        return self._ops.prelu(x, self._number([slope]))

    def _upsampled(self, x: Node, name: str) -> Node:
        """A transposed convolution that makes all samples between two frames by a convolution, and then puts
        them in order.
        """
        ops, node = self._ops, self._maker(f"{PREFIX}{name}/ConvTranspose_output_0")
        if not doubles_its_stride(node, self._graph):
            raise UnknownGraph(f"{node.name} overlaps more than once.")
        weights, bias = (self._graph[given] for given in node.input[1:])
        _, outputs, size = weights.shape
        stride = size // 2
        tiled = np.tile(bias.astype(np.float32), stride)
        kernel = Convolution(as_bfloat16(upsampling_kernel(weights)), tiled, [1], [1, 1], [1])
        swap = self._whole(0, 2, 1)
        turned = ops.transpose(self._convolved(x, kernel), swap)
        ordered = ops.reshape(turned, self._whole(1, -1, outputs), special_zero=False)
        crop = stride // 2
        ends = (self._whole(at) for at in (crop, -crop, 1))
        return ops.slice(ops.transpose(ordered, swap), *ends, self._axis)

    def _maker(self, name: str) -> NodeProto:
        if name not in self._makers:
            raise UnknownGraph(f"Nothing makes {name}.")
        return self._makers[name]

    def _mean(self, blocks: list[Node]) -> Node:
        total = blocks[0]
        for block in blocks[1:]:
            total = self._ops.add(total, block)
        return self._ops.divide(total, self._scalar(len(blocks)))
