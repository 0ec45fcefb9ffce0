"""Graphs of ONNX files that are cut in parts and changed, so that another library can compute one of them.

The arrays of a graph stay in the file's messages until they are needed: parsing and copying them would take
most of the time of loading. Law: nothing here is about a certain model.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from engines.common.evictable_arrays import EvictableArrays
from engines.common.moved_arrays import ARRAY_OF_GRAPH, GRAPH_OF_MODEL, NAME_OF_ARRAY, moved_array
from engines.common.onnx import GivenArrays
from engines.common.protobuf_fields import fields, head

Sizes: TypeAlias = Sequence[int | str]
"""The shape of an array; text is a size that varies."""


class UnknownGraph(Exception):
    """The graph is not built as the ones that were measured."""


class StoredGraph:
    """A graph: its nodes, inputs and outputs, and its constant arrays."""

    def __init__(self, model: ModelProto, arrays: dict[str, memoryview | bytes]) -> None:
        """`model`: without arrays. `arrays`: their messages, by their names."""
        self._model = model
        self._arrays = arrays

    @classmethod
    def read(cls, path: Path) -> StoredGraph:
        """The graph in that file. Raises `UnknownGraph` if it is damaged or absent."""
        try:
            with path.open("rb") as file:
                return cls.parsed(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
        except (OSError, ValueError) as wrong:
            raise UnknownGraph("It cannot be read.") from wrong

    @classmethod
    def parsed(cls, message: memoryview) -> StoredGraph:
        """The graph in a message. Raises `UnknownGraph` if it is damaged."""
        arrays, others = dict[str, memoryview | bytes](), list[memoryview | bytes]()
        try:
            for number, contents, whole in fields(message):
                others += _without_arrays(contents, arrays) if number == GRAPH_OF_MODEL else [whole]
            return cls(ModelProto.FromString(b"".join(others)), arrays)
        except MemoryError:
            raise
        except Exception as wrong:  # protobuf, which decodes the rest, has errors of its own
            raise UnknownGraph("It cannot be read.") from wrong

    @property
    def nodes(self) -> Sequence[NodeProto]:
        found: Sequence[NodeProto] = self._model.graph.node
        return found

    @property
    def inputs(self) -> list[str]:
        return [found.name for found in self._model.graph.input]

    @property
    def outputs(self) -> list[str]:
        return [found.name for found in self._model.graph.output]

    @property
    def makers(self) -> dict[str, NodeProto]:
        """The node that makes an array, by its name."""
        return {name: node for node in self.nodes for name in node.output}

    def __contains__(self, array: str) -> bool:
        return array in self._arrays

    def __getitem__(self, array: str) -> NDArray[np.generic]:
        """A constant array. Raises `UnknownGraph` if there is no such one, or if it is damaged."""
        if array not in self._arrays:
            raise UnknownGraph(f"{array} is no constant.")
        try:
            read = TensorProto.FromString(bytes(self._arrays[array]))
            if read.data_location != TensorProto.EXTERNAL:
                return numpy_helper.to_array(read)
        except MemoryError:
            raise
        except Exception as wrong:  # as above
            raise UnknownGraph(f"{array} cannot be read.") from wrong
        raise UnknownGraph(f"{array} is in a file of its own.")

    def add(self, name: str, values: NDArray[np.generic] | Sequence[int]) -> str:
        """Adds an array, and returns its name."""
        return self._add(numpy_helper.from_array(np.ascontiguousarray(values), name))

    def add_bfloat16(self, name: str, values: NDArray[np.generic]) -> str:
        """Adds an array, rounded to bfloat16."""
        bits = as_bfloat16(values).astype("<u2").tobytes()
        return self._add(helper.make_tensor(name, TensorProto.BFLOAT16, values.shape, bits, raw=True))

    def _add(self, array: TensorProto) -> str:
        self._arrays[array.name] = array.SerializeToString()
        return array.name

    def move_large_arrays(self, file: Path, to: EvictableArrays) -> GivenArrays:
        """Moves the large arrays out of the graph into `to`. A session needs both: the graph, and what this
        returns.
        """
        moved = dict[str, NDArray[np.generic]]()
        for message in list(self._arrays.values()):
            if found := moved_array(memoryview(message), file, to):
                name, self._arrays[name], moved[name] = found
        return GivenArrays(file, moved)

    def replace_nodes(self, nodes: Iterable[NodeProto]) -> None:
        """Gives the graph these nodes in place of its own."""
        kept = list(nodes)
        del self._model.graph.node[:]
        self._model.graph.node.extend(kept)

    def part(self, given: Mapping[str, Sizes], results: Mapping[str, Sizes]) -> StoredGraph:
        """The nodes between the arrays `given` and the `results`. Inputs of the graph stay inputs.

        Raises `UnknownGraph` if the results need anything else.
        """
        needed, kept = set(results), list[NodeProto]()
        for node in reversed(self.nodes):
            if needed & (set(node.output) - given.keys()):
                if any(attribute.type == AttributeProto.GRAPH for attribute in node.attribute):
                    raise UnknownGraph(f"{node.name} has a graph of its own.")
                kept.append(node)
                needed.update(node.input)
        arrays = {name: array for name, array in self._arrays.items() if name in needed}
        own = self._model.graph.input
        inputs = [found for found in own if found.name in needed and found.name not in given]
        made = {name for node in kept for name in node.output} | {found.name for found in inputs}
        if lost := needed - made - arrays.keys() - given.keys() - {""}:
            raise UnknownGraph(f"{min(lost)} is needed.")
        inputs += [_described(name, sizes) for name, sizes in given.items() if name in needed]
        outputs = [_described(name, sizes) for name, sizes in results.items()]
        graph = helper.make_graph(kept[::-1], self._model.graph.name, inputs, outputs)
        versions = {"opset_imports": self._model.opset_import, "ir_version": self._model.ir_version}
        return StoredGraph(helper.make_model(graph, **versions), arrays)

    def message(self) -> bytes:
        """The graph as one message. A field that comes twice is one for protobuf: it joins the contents."""
        pieces: list[memoryview | bytes] = []
        for array in self._arrays.values():
            pieces += [head(ARRAY_OF_GRAPH, len(array)), array]
        length = sum(map(len, pieces))
        return b"".join([self._model.SerializeToString(), head(GRAPH_OF_MODEL, length), *pieces])


def as_bfloat16(values: NDArray[np.generic]) -> NDArray[np.uint16]:
    """The bits of the nearest numbers of bfloat16: the upper half of float32."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded: NDArray[np.uint16] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return rounded


def attributes(node: NodeProto) -> dict[str, Any]:
    return {found.name: helper.get_attribute_value(found) for found in node.attribute}


def _without_arrays(graph: memoryview, arrays: dict[str, memoryview | bytes]) -> list[memoryview | bytes]:
    """The field of a graph without its arrays, which are added to `arrays`."""
    kept: list[memoryview | bytes] = []
    for number, contents, whole in fields(graph):
        if number == ARRAY_OF_GRAPH:
            names = [str(name, "utf-8") for inner, name, _ in fields(contents) if inner == NAME_OF_ARRAY]
            arrays[names[-1]] = contents
        else:
            kept.append(whole)
    return [head(GRAPH_OF_MODEL, sum(map(len, kept))), *kept]


def _described(name: str, sizes: Sizes) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
