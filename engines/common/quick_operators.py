"""Makes a graph quick and small for OpenVINO in bfloat16: operators that it computes slowly are written with
quick ones, and weights are rounded to bfloat16 before it reads them. Law: nothing here is about a certain
model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from engines.common.onnx_parts import StoredGraph, attributes

SQUARED_SINE = (9.8696029, -32.469578, 42.725338, -30.085606, 12.989528, -3.2713775)
"""Factors of w, w², ... of a polynomial for sin²(pi·sqrt(w)), for w up to 1/4; it is exact to 7e-9."""


def with_quick_operators(graph: StoredGraph) -> None:
    """Replaces transposed convolutions and squared sines."""
    readers = graph.users
    nodes: list[NodeProto] = []
    squares: set[str] = set()
    for node in graph.nodes:
        square = _its_square(node, readers, graph)
        if square:
            squares.add(square.output[0])
            nodes += _squared_sine(node, square.output[0], graph)
        elif _doubles_its_stride(node, graph):
            nodes += _upsampling(node, graph)
        elif node.output[0] not in squares:
            nodes.append(node)
    graph.replace_nodes(nodes)


def with_bfloat16_weights(graph: StoredGraph) -> None:
    """Rounds the weights of convolutions and products to bfloat16.

    OpenVINO would do it too, but would keep the float32 weights in memory beside the rounded ones.
    """
    nodes: list[NodeProto] = []
    for node in graph.nodes:
        rounded = node.op_type in ("Conv", "MatMul") and node.input[1] in graph
        nodes += _rounded(node, graph) if rounded else [node]
    graph.replace_nodes(nodes)


def _rounded(node: NodeProto, graph: StoredGraph) -> list[NodeProto]:
    name = node.output[0]
    given, made = f"{name}/given", f"{name}/rounded"
    constants = [graph.add_bfloat16(f"{name}/{at}", graph[at]) for at in node.input[1:]]
    product = helper.make_node(node.op_type, [given, *constants], [made], **attributes(node))
    return [
        helper.make_node("Cast", [node.input[0]], [given], to=TensorProto.BFLOAT16),
        product,
        helper.make_node("Cast", [made], [name], to=TensorProto.FLOAT),
    ]


def _doubles_its_stride(node: NodeProto, graph: StoredGraph) -> bool:
    """Whether it is a transposed convolution whose kernel is twice its stride, and so overlaps once."""
    if node.op_type != "ConvTranspose" or len(node.input) != 3 or node.input[1] not in graph:
        return False
    found = attributes(node)
    if "output_padding" in found or "output_shape" in found or found.get("group", 1) != 1:
        return False
    kernel, stride = found["kernel_shape"], found.get("strides")
    pads, dilations = found.get("pads"), found.get("dilations", [1])
    if not isinstance(kernel, list) or len(kernel) != 1 or dilations != [1]:
        return False
    size: int = kernel[0]
    return size % 4 == 0 and stride == [size // 2] and pads == [size // 4, size // 4]


def _upsampling(node: NodeProto, graph: StoredGraph) -> list[NodeProto]:
    """A convolution over two neighbours makes all samples between them, which are then put in order."""
    weight, bias = graph[node.input[1]], graph[node.input[2]]
    inputs, outputs, size = weight.shape
    stride = size // 2
    taps = np.stack([weight[:, :, stride:], weight[:, :, :stride]], -1)
    kernel = taps.transpose(2, 1, 0, 3).reshape(stride * outputs, inputs, 2)
    name, crop = node.output[0], stride // 2
    made, turned, ordered, whole = (f"{name}/{step}" for step in ("made", "turned", "ordered", "whole"))
    named = [node.input[0], graph.add(f"{name}/w", kernel), graph.add(f"{name}/b", np.tile(bias, stride))]
    bounds = [graph.add(f"{name}/{key}", [at]) for key, at in (("first", crop), ("end", -crop), ("axis", 2))]
    shape = graph.add(f"{name}/shape", [1, -1, outputs])
    return [
        helper.make_node("Conv", named, [made], kernel_shape=[2], pads=[1, 1]),
        helper.make_node("Transpose", [made], [turned], perm=[0, 2, 1]),
        helper.make_node("Reshape", [turned, shape], [ordered]),
        helper.make_node("Transpose", [ordered], [whole], perm=[0, 2, 1]),
        helper.make_node("Slice", [whole, *bounds], [name]),
    ]


def _its_square(node: NodeProto, readers: dict[str, list[NodeProto]], graph: StoredGraph) -> NodeProto | None:
    """The square of a sine, if nothing else reads the sine."""
    after = readers.get(node.output[0], []) if node.op_type == "Sin" else []
    if len(after) != 1 or after[0].op_type != "Pow" or after[0].input[1] not in graph:
        return None
    return after[0] if np.all(graph[after[0].input[1]] == 2) else None


def _squared_sine(sine: NodeProto, name: str, graph: StoredGraph) -> list[NodeProto]:
    """sin² has the period pi: of x/pi, only the distance from the nearest whole number counts."""
    nodes: list[NodeProto] = []

    def step(operator: str, *inputs: str, result: str = "") -> str:
        nodes.append(helper.make_node(operator, inputs, [result or f"{name}/{len(nodes)}"]))
        return str(nodes[-1].output[0])

    def number(value: float) -> str:
        return _number(graph, value)

    turns = step("Mul", sine.input[0], number(1 / np.pi))
    distance = step("Sub", turns, step("Round", turns))
    w = step("Mul", distance, distance)
    total = number(SQUARED_SINE[-1])
    for factor in SQUARED_SINE[-2::-1]:
        total = step("Add", step("Mul", total, w), number(factor))
    step("Mul", total, w, result=name)
    return nodes


def _number(graph: StoredGraph, value: float) -> str:
    """The name of a constant number; equal ones are kept once."""
    exact: NDArray[np.float32] = np.asarray(value, np.float32)
    name = f"number {exact}"
    return name if name in graph else graph.add(name, exact)
