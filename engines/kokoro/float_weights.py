"""The graph of Kokoro in int8, computed with floating point numbers.

In the published graph, a product or a convolution of whole numbers is five nodes: the input is rounded to
int8, the product itself, its bias is added as whole numbers, the sum becomes floating point, and is
multiplied by the scales of the input and of the weights. Here they are one node.

Law: a graph goes in, and the same graph comes out; how it is run is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from engines.common.onnx_parts import StoredGraph, UnknownGraph, attributes

FLOATING = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}


@dataclass(frozen=True)
class _IntegerProduct:
    """The nodes of one product of whole numbers."""

    product: NodeProto
    given: str
    """The input before it was rounded."""
    bias: str
    """Empty if there is none."""
    scale: str
    """The constant scale of the weights."""
    result: str


def with_float_products(graph: StoredGraph) -> None:
    """Replaces products and convolutions of whole numbers. Raises `UnknownGraph`."""
    made, readers = graph.makers, graph.users
    groups = [
        _integer_product(node, graph, made, readers) for node in graph.nodes if node.op_type in FLOATING
    ]
    by_result = {group.result: group for group in groups}
    nodes: list[NodeProto] = []
    for node in graph.nodes:
        group = by_result.get(node.output[0])
        nodes.append(_floating(group, graph) if group else node)
    graph.replace_nodes(nodes)


def _floating(group: _IntegerProduct, graph: StoredGraph) -> NodeProto:
    product = group.product
    whole, zero = graph[product.input[1]].astype(np.float32), graph[product.input[3]].astype(np.float32)
    scale = graph[group.scale].astype(np.float32)
    if product.op_type == "ConvInteger":  # the first axis of its weights is that of the results
        zero, scale = (value.reshape(-1, *[1] * (whole.ndim - 1)) for value in (zero, scale))
    weights = graph.add(f"{group.result}/weights", (whole - zero) * scale)
    inputs = [group.given, weights, *([group.bias] if group.bias else [])]
    kept = {key: value for key, value in attributes(product).items() if key != "auto_pad"}
    return helper.make_node(FLOATING[product.op_type], inputs, [group.result], **kept)


def _integer_product(
    product: NodeProto, graph: StoredGraph, made: dict[str, NodeProto], readers: dict[str, list[NodeProto]]
) -> _IntegerProduct:
    rounded = _expected(made.get(product.input[0]), "DynamicQuantizeLinear")
    after, bias = _next(product, readers), ""
    if after.op_type == "Add":
        bias = _bias(_other(after, product.output[0]), graph, made)
        after = _next(after, readers)
    scaled = _expected(_next(_expected(after, "Cast"), readers), "Mul")
    scales = _expected(made.get(_other(scaled, after.output[0])), "Mul")
    constant = [name for name in scales.input if name in graph]
    if len(constant) != 1 or len(product.input) != 4:
        raise UnknownGraph(f"{product.name} has other scales.")
    return _IntegerProduct(product, rounded.input[0], bias, constant[0], scaled.output[0])


def _bias(name: str, graph: StoredGraph, made: dict[str, NodeProto]) -> str:
    """The bias as it was before it was divided by the scales, rounded and reshaped."""
    for kind in ("Reshape", "Cast", "Floor", "Div"):
        name = _expected(made.get(name), kind).input[0]
    if name not in graph:
        raise UnknownGraph(f"The bias {name} is no constant.")
    return name


def _next(node: NodeProto, readers: dict[str, list[NodeProto]]) -> NodeProto:
    """The only node that reads the result of `node`. Raises `UnknownGraph` if there is not exactly one."""
    found = readers.get(node.output[0], [])
    if len(found) != 1:
        raise UnknownGraph(f"{node.name} is read by {len(found)} nodes.")
    return found[0]


def _other(node: NodeProto, name: str) -> str:
    """The input of the node that is not `name`."""
    return str(next(given for given in node.input if given != name))


def _expected(node: NodeProto | None, kind: str) -> NodeProto:
    if node is None or node.op_type != kind:
        raise UnknownGraph(f"{node.name if node else 'An input'} is no {kind}.")
    return node
