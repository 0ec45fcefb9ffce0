"""Makes a graph quick and small for OpenVINO in bfloat16: transposed convolutions, which it computes slowly,
become convolutions, and weights are rounded to bfloat16 before it reads them. Law: nothing here is about a
certain model.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper

from engines.common.convolution_forms import upsampling_kernel
from engines.common.onnx_parts import StoredGraph, attributes


def with_quick_operators(graph: StoredGraph) -> None:
    """Replaces transposed convolutions whose kernels are twice their strides."""
    nodes: list[NodeProto] = []
    for node in graph.nodes:
        nodes += _upsampling(node, graph) if doubles_its_stride(node, graph) else [node]
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


def doubles_its_stride(node: NodeProto, graph: StoredGraph) -> bool:
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
    _, outputs, size = weight.shape
    stride, kernel = size // 2, upsampling_kernel(weight)
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
