"""The weights of Kokoro's int8 graph as floating point numbers.

In the published graph, a convolution of whole numbers is a group of nodes: the input is rounded to int8, the
product itself, its bias is added as whole numbers, the sum becomes floating point, and is multiplied by the
scales of the input and of the weights.

Law: a graph is read and stays as it is; how it is run is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from engines.common.onnx_parts import StoredGraph, UnknownGraph, as_bfloat16, attributes
from engines.types import Samples


@dataclass(frozen=True)
class Convolution:
    """A convolution along time."""

    weights: NDArray[np.uint16]
    """The bits of bfloat16: (outputs, inputs, taps)."""
    bias: Samples
    strides: list[int]
    pads: list[int]
    dilations: list[int]


class Convolutions:
    """The convolutions of a graph, by the names of their results."""

    def __init__(self, graph: StoredGraph) -> None:
        self._graph = graph
        self._makers = graph.makers

    def __getitem__(self, result: str) -> Convolution:
        """Raises `UnknownGraph` if it is not built as in the published graph."""
        last = self._makers.get(result)
        if last is None:
            raise UnknownGraph(f"Nothing makes {result}.")
        if last.op_type == "Conv":
            weights, bias = (self._graph[name] for name in last.input[1:])
            return _described(last, as_bfloat16(weights), bias)
        summed = self._source(self._source(last, "Cast"), "Add")
        product, divided = self._source(summed, "ConvInteger"), summed
        for kind in ("Reshape", "Cast", "Floor", "Div"):
            divided = self._source(divided, kind)
        scale = self._constant(self._source(last, "Mul"))
        return _described(product, self._bits(product, scale), self._constant(divided))

    def _bits(self, product: NodeProto, scale: NDArray[np.generic]) -> NDArray[np.uint16]:
        """The weights. Each of the 256 numbers that they can be is computed once."""
        whole, zero = self._graph[product.input[1]].view(np.uint8), self._graph[product.input[3]]
        if zero.dtype != np.uint8 or zero.size != 1 or scale.size != 1:
            raise UnknownGraph(f"{product.name} has weights of another kind.")
        values = (np.arange(256) - float(zero.item())) * np.float32(scale.item())
        return np.take(as_bfloat16(values), whole)

    def _source(self, node: NodeProto, kind: str) -> NodeProto:
        """The node of that kind that makes an input of `node`."""
        for name in node.input:
            found = self._makers.get(name)
            if found is not None and found.op_type == kind:
                return found
        raise UnknownGraph(f"{node.name} needs no {kind}.")

    def _constant(self, node: NodeProto) -> NDArray[np.generic]:
        """The only constant input of `node`."""
        found = [name for name in node.input if name in self._graph]
        if len(found) != 1:
            raise UnknownGraph(f"{node.name} has {len(found)} constants.")
        return self._graph[found[0]]


def _described(node: NodeProto, weights: NDArray[np.uint16], bias: NDArray[np.generic]) -> Convolution:
    found = attributes(node)
    if found.get("group", 1) != 1:
        raise UnknownGraph(f"{node.name} has groups.")
    strides, dilations = found.get("strides", [1]), found.get("dilations", [1])
    return Convolution(weights, bias.astype(np.float32), strides, found.get("pads", [0, 0]), dilations)
