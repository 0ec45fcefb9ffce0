"""Convolutions of whole numbers whose inputs become signed, which ONNX Runtime computes in half the time.

A graph that was quantised by ONNX Runtime rounds the input of a convolution to bytes without a sign, and its
weights are such bytes too. ONNX Runtime multiplies two of those as numbers of 16 bits. Bytes without a sign
times bytes with one are a single instruction on CPUs with VNNI. So 128 is taken from the input, and from its
zero point: the sums are the same numbers.

Only the fields of the graph's messages are looked at, without the package `onnx` (see `moved_arrays.py`).

Law: nothing here is about a certain model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from engines.common.moved_arrays import (
    ARRAY_OF_GRAPH,
    GRAPH_OF_MODEL,
    KIND_OF_ARRAY,
    NAME_OF_ARRAY,
    NUMBERS_OF_ARRAY,
)
from engines.common.protobuf_fields import fields, head, value, whole_number

CPU_DETAILS = Path("/proc/cpuinfo")
"""What Linux says of the CPU."""
QUICK_UNITS = {"avx512_vnni", "avx_vnni"}
"""Of x86. Without them, sums of such products overflow in ONNX Runtime."""
VERSIONS_OF_MODEL, DOMAIN_OF_VERSION, NUMBER_OF_VERSION = 8, 1, 2
NODE_OF_GRAPH = 1
INPUT_OF_NODE, RESULT_OF_NODE, KIND_OF_NODE, ATTRIBUTE_OF_NODE = 1, 2, 4, 5
NAME_OF_ATTRIBUTE, NUMBER_OF_ATTRIBUTE, KIND_OF_ATTRIBUTE, WHOLE_NUMBER = 1, 3, 20, 2
"""The numbers of fields in the messages of ONNX."""
SIGNED_KIND, UNSIGNED_KIND = 3, 2
"""Bytes with and without a sign, among ONNX's kinds of numbers."""
FIRST_VERSION = 18
"""Of ONNX's operators, the first version that knows `BitwiseXor`."""
CONVOLUTION, ROUNDING = b"ConvInteger", b"DynamicQuantizeLinear"
HALF = b"half of the bytes"
"""The name of an array: 128."""


@dataclass(frozen=True, slots=True)
class _Node:
    kind: bytes
    inputs: tuple[bytes, ...]
    results: tuple[bytes, ...]
    rest: bytes = b""
    """All other fields."""

    @property
    def message(self) -> bytes:
        names = [value(INPUT_OF_NODE, name) for name in self.inputs]
        names += [value(RESULT_OF_NODE, name) for name in self.results]
        return b"".join([*names, value(KIND_OF_NODE, self.kind), self.rest])


def signed_inputs_are_quick() -> bool:
    """Whether this CPU has such an instruction."""
    try:
        told = CPU_DETAILS.read_text()
    except OSError:
        return False
    return not QUICK_UNITS.isdisjoint(told.split())


def with_signed_inputs(model: bytes) -> bytes:
    """The model, with signed inputs of its convolutions. Raises `ValueError` if it is damaged."""
    message, kept = memoryview(model), list[memoryview | bytes]()
    if _version(message) < FIRST_VERSION:
        return model
    for number, contents, whole in fields(message):
        if number == GRAPH_OF_MODEL:
            graph = _changed(contents)
            kept += [head(GRAPH_OF_MODEL, len(graph)), graph]
        else:
            kept.append(whole)
    return b"".join(kept)


def _version(model: memoryview) -> int:
    """The version of ONNX's own operators that the model is written in."""
    for number, contents, _ in fields(model):
        if number == VERSIONS_OF_MODEL:
            found = {inner: (bytes(name), whole) for inner, name, whole in fields(contents)}
            if not found.get(DOMAIN_OF_VERSION, (b"",))[0] and NUMBER_OF_VERSION in found:
                return whole_number(found[NUMBER_OF_VERSION][1])
    return 0


def _changed(graph: memoryview) -> bytes:
    nodes = [_node(contents) if number == NODE_OF_GRAPH else None for number, contents, _ in fields(graph)]
    found = [node for node in nodes if node]
    made = {node.results[0]: node.results[2] for node in found if node.kind == ROUNDING}
    signed = {n.inputs[0] for n in found if n.kind == CONVOLUTION and made.get(n.inputs[0]) == n.inputs[2]}
    kept: list[memoryview | bytes] = []
    for node, (_, _, whole) in zip(nodes, fields(graph), strict=True):
        if node and node.kind == CONVOLUTION and node.inputs[0] in signed:
            kept.append(value(NODE_OF_GRAPH, _signed(node).message))
        else:
            kept.append(whole)
        if node and node.kind == ROUNDING and node.results[0] in signed:
            added = [*_with_sign(node.results[0]), *_with_sign(node.results[2])]
            kept += [value(NODE_OF_GRAPH, one.message) for one in added]
    return b"".join([*kept, value(ARRAY_OF_GRAPH, _half())] if signed else kept)


def _node(contents: memoryview) -> _Node | None:
    """The node, if it is a convolution or a rounding of its input, with all inputs or results."""
    message = bytes(contents)
    if CONVOLUTION not in message and ROUNDING not in message:
        return None
    inputs, results, kind, rest = list[bytes](), list[bytes](), b"", list[memoryview]()
    for number, text, whole in fields(contents):
        if number == INPUT_OF_NODE:
            inputs.append(bytes(text))
        elif number == RESULT_OF_NODE:
            results.append(bytes(text))
        elif number == KIND_OF_NODE:
            kind = bytes(text)
        else:
            rest.append(whole)
    node = _Node(kind, tuple(inputs), tuple(results), b"".join(rest))
    return node if (kind, len(inputs)) == (CONVOLUTION, 4) or (kind, len(results)) == (ROUNDING, 3) else None


def _signed(node: _Node) -> _Node:
    given, weights, zero, zero_of_weights = node.inputs
    return replace(node, inputs=(given + b"/signed", weights, zero + b"/signed", zero_of_weights))


def _with_sign(name: bytes) -> Iterator[_Node]:
    """128 less, as a byte with a sign. A byte and one with another highest bit are 128 apart.

    Rounding the input once more would take less time, but a fifth more memory.
    """
    yield _Node(b"BitwiseXor", (name, HALF), (name + b"/less",))
    yield _Node(b"Cast", (name + b"/less",), (name + b"/signed",), _to(SIGNED_KIND))


def _to(kind: int) -> bytes:
    """The attribute of a cast."""
    told = value(NAME_OF_ATTRIBUTE, b"to") + value(NUMBER_OF_ATTRIBUTE, kind)
    return value(ATTRIBUTE_OF_NODE, told + value(KIND_OF_ATTRIBUTE, WHOLE_NUMBER))


def _half() -> bytes:
    return value(KIND_OF_ARRAY, UNSIGNED_KIND) + value(NAME_OF_ARRAY, HALF) + value(NUMBERS_OF_ARRAY, b"\x80")
