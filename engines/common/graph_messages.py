"""Nodes and arrays of ONNX graphs as messages, read and written without the package `onnx`.

Law: nothing here is about a certain model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.common.moved_arrays import (
    KIND_OF_ARRAY,
    NAME_OF_ARRAY,
    NUMBERS_OF_ARRAY,
    SIZE_OF_ARRAY,
)
from engines.common.protobuf_fields import fields, value, whole_number

VERSIONS_OF_MODEL, DOMAIN_OF_VERSION, NUMBER_OF_VERSION = 8, 1, 2
NODE_OF_GRAPH, INPUT_OF_GRAPH, RESULT_OF_GRAPH, NAME_OF_VALUE = 1, 11, 12, 1
INPUT_OF_NODE, RESULT_OF_NODE, KIND_OF_NODE, ATTRIBUTE_OF_NODE, DOMAIN_OF_NODE = 1, 2, 4, 5, 7
NAME_OF_ATTRIBUTE, NUMBER_OF_ATTRIBUTE, NUMBERS_OF_ATTRIBUTE, KIND_OF_ATTRIBUTE = 1, 3, 8, 20
WHOLE_NUMBER, WHOLE_NUMBERS = 2, 7
"""The numbers of an attribute's fields, and its kinds."""
ARRAY_KINDS = {"float32": 1, "uint8": 2, "int64": 7}
"""The kinds of arrays that are written, by the numbers that ONNX has for them."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a graph."""

    kind: bytes
    inputs: tuple[bytes, ...]
    results: tuple[bytes, ...]
    rest: bytes = b""
    """All other fields."""

    @classmethod
    def read(cls, message: memoryview) -> Node:
        """Raises `ValueError` if the message is damaged."""
        inputs, results, kind, rest = list[bytes](), list[bytes](), b"", list[memoryview]()
        for number, contents, whole in fields(message):
            if number == INPUT_OF_NODE:
                inputs.append(bytes(contents))
            elif number == RESULT_OF_NODE:
                results.append(bytes(contents))
            elif number == KIND_OF_NODE:
                kind = bytes(contents)
            else:
                rest.append(whole)
        return cls(kind, tuple(inputs), tuple(results), b"".join(rest))

    @property
    def written(self) -> bytes:
        """As a field of a graph."""
        names = [value(INPUT_OF_NODE, name) for name in self.inputs]
        names += [value(RESULT_OF_NODE, name) for name in self.results]
        return value(NODE_OF_GRAPH, b"".join([*names, value(KIND_OF_NODE, self.kind), self.rest]))

    @property
    def attributes(self) -> dict[str, list[int]]:
        """Its attributes that are whole numbers."""
        found: dict[str, list[int]] = {}
        for number, contents, _ in fields(memoryview(self.rest)):
            if number == ATTRIBUTE_OF_NODE:
                name, numbers = "", list[int]()
                for inner, text, whole in fields(contents):
                    if inner == NAME_OF_ATTRIBUTE:
                        name = str(text, "utf-8")
                    elif inner in (NUMBER_OF_ATTRIBUTE, NUMBERS_OF_ATTRIBUTE):
                        numbers.append(whole_number(whole))
                found[name] = numbers
        return found


def attribute(name: str, numbers: int | list[int]) -> bytes:
    """An attribute, as a field of a node."""
    told = value(NAME_OF_ATTRIBUTE, name.encode())
    if isinstance(numbers, int):
        told += value(NUMBER_OF_ATTRIBUTE, numbers) + value(KIND_OF_ATTRIBUTE, WHOLE_NUMBER)
    else:
        told += b"".join(value(NUMBERS_OF_ATTRIBUTE, number) for number in numbers)
        told += value(KIND_OF_ATTRIBUTE, WHOLE_NUMBERS)
    return value(ATTRIBUTE_OF_NODE, told)


def domain(name: bytes) -> bytes:
    """The domain of an operator, as a field of a node."""
    return value(DOMAIN_OF_NODE, name)


def array(name: bytes, numbers: NDArray[np.generic]) -> bytes:
    """The message of an array."""
    sizes = [value(SIZE_OF_ARRAY, size) for size in numbers.shape]
    kind = value(KIND_OF_ARRAY, ARRAY_KINDS[numbers.dtype.name])
    data = np.ascontiguousarray(numbers).tobytes()
    return b"".join([*sizes, kind, value(NAME_OF_ARRAY, name), value(NUMBERS_OF_ARRAY, data)])


def name_of(message: memoryview) -> bytes:
    """The name of an array."""
    return b"".join(bytes(text) for number, text, _ in fields(message) if number == NAME_OF_ARRAY)


def names_of(graph: memoryview, kind: int) -> list[bytes]:
    """The names of the inputs or the results of a graph, whose fields are of this `kind`."""
    found = [contents for number, contents, _ in fields(graph) if number == kind]
    return [bytes(text) for one in found for number, text, _ in fields(one) if number == NAME_OF_VALUE]


def floats(message: memoryview) -> NDArray[np.float32]:
    """The numbers of an array of float32. Raises `ValueError` if it is none, or not one piece of bytes."""
    sizes, kind, data = list[int](), 0, memoryview(b"")
    for number, contents, whole in fields(message):
        if number == SIZE_OF_ARRAY:
            sizes.append(whole_number(whole))
        elif number == KIND_OF_ARRAY:
            kind = whole_number(whole)
        elif number == NUMBERS_OF_ARRAY:
            data = contents
    if kind != ARRAY_KINDS["float32"]:
        raise ValueError("An array has other numbers than float32.")
    return np.frombuffer(data, "<f4").reshape(sizes)
