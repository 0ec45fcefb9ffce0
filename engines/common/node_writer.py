"""Writes nodes of a graph, and the arrays that they need. Law: nothing here is about a certain model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.common.graph_messages import Node, array
from engines.common.moved_arrays import ARRAY_OF_GRAPH
from engines.common.protobuf_fields import value


class NodeWriter:
    """The fields of a graph, in the order in which they are added."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def add(self, kind: bytes, inputs: tuple[bytes, ...], result: bytes, rest: bytes = b"") -> bytes:
        """A node with one result, whose name it returns. `rest`: all other fields."""
        self.keep(Node(kind, inputs, (result,), rest))
        return result

    def keep(self, node: Node) -> None:
        self.written.append(node.written)

    def constant(self, name: bytes, numbers: NDArray[np.generic]) -> bytes:
        self.written.append(value(ARRAY_OF_GRAPH, array(name, numbers)))
        return name

    def numbers(self, numbers: Sequence[int]) -> bytes:
        """A constant without a name of its own."""
        return self.constant(b"numbers %d" % len(self.written), np.array(numbers, np.int64))

    def reshaped(self, given: bytes, sizes: Sequence[int], name: bytes = b"") -> bytes:
        return self.add(b"Reshape", (given, self.numbers(sizes)), name or given + b"/reshaped")

    def cut(self, given: bytes, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int]) -> bytes:
        bounds = [self.numbers(numbers) for numbers in (starts, ends, axes)]
        return self.add(b"Slice", (given, *bounds), given + b"/from " + bounds[0])
