"""Parts of ONNX graphs, so that another library can compute one of them. Law: nothing here is about a certain
model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import (
    AttributeProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    load_model,
    numpy_helper,
)

from engines.types import Samples

Sizes: TypeAlias = Sequence[int | str]
"""The shape of an array; text is a size that varies."""


class UnknownGraph(Exception):
    """The graph is not built as the ones that were measured."""


class Arrays:
    """The constant arrays of a model, to which others can be added."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._known = {array.name: array for array in model.graph.initializer}

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        """Raises `UnknownGraph` if there is no such array."""
        if name not in self._known:
            raise UnknownGraph(f"{name} is no constant.")
        return numpy_helper.to_array(self._known[name])

    def add(self, name: str, values: Samples | Sequence[int]) -> str:
        """Adds an array, and returns its name."""
        return self._add(name, numpy_helper.from_array(np.ascontiguousarray(values), name))

    def add_bfloat16(self, name: str, values: NDArray[np.generic]) -> str:
        """Adds an array, rounded to bfloat16: the upper half of float32."""
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
        halves = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
        rounded = helper.make_tensor(name, TensorProto.BFLOAT16, values.shape, halves.tobytes(), raw=True)
        return self._add(name, rounded)

    def _add(self, name: str, array: TensorProto) -> str:
        self._model.graph.initializer.append(array)
        self._known[name] = self._model.graph.initializer[-1]
        return name


def read(path: Path) -> ModelProto:
    """The model in that file. Raises `UnknownGraph` if it is damaged or absent."""
    try:
        return load_model(str(path))
    except MemoryError:
        raise
    except Exception as wrong:  # protobuf, which decodes it, has errors of its own
        raise UnknownGraph("It cannot be read.") from wrong


def part(model: ModelProto, given: Mapping[str, Sizes], results: Mapping[str, Sizes]) -> ModelProto:
    """The nodes between the arrays `given` and the `results`. Inputs of the model stay inputs.

    Raises `UnknownGraph` if the results need anything else.
    """
    needed, kept = set(results), list[NodeProto]()
    for node in reversed(model.graph.node):
        if needed & (set(node.output) - given.keys()):
            if any(attribute.type == AttributeProto.GRAPH for attribute in node.attribute):
                raise UnknownGraph(f"{node.name} has a graph of its own.")
            kept.append(node)
            needed.update(node.input)
    arrays = [array for array in model.graph.initializer if array.name in needed]
    inputs = [found for found in model.graph.input if found.name in needed and found.name not in given]
    made = {name for node in kept for name in node.output} | {found.name for found in (*arrays, *inputs)}
    if lost := needed - made - given.keys() - {""}:
        raise UnknownGraph(f"{min(lost)} is needed.")
    inputs += [_described(name, sizes) for name, sizes in given.items() if name in needed]
    outputs = [_described(name, sizes) for name, sizes in results.items()]
    graph = helper.make_graph(kept[::-1], model.graph.name, inputs, outputs, arrays)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def replace_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> None:
    """Gives the model these nodes in place of its own."""
    kept = list(nodes)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def users(model: ModelProto) -> dict[str, list[NodeProto]]:
    """The nodes that read an array, by its name."""
    found: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def makers(model: ModelProto) -> dict[str, NodeProto]:
    """The node that makes an array, by its name."""
    return {name: node for node in model.graph.node for name in node.output}


def attributes(node: NodeProto) -> dict[str, Any]:
    return {found.name: helper.get_attribute_value(found) for found in node.attribute}


def _described(name: str, sizes: Sizes) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
