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
from dataclasses import replace
from pathlib import Path

import numpy as np

from engines.common.graph_messages import (
    DOMAIN_OF_VERSION,
    NODE_OF_GRAPH,
    NUMBER_OF_VERSION,
    VERSIONS_OF_MODEL,
    Node,
    array,
    attribute,
)
from engines.common.moved_arrays import ARRAY_OF_GRAPH, GRAPH_OF_MODEL
from engines.common.protobuf_fields import fields, head, value, whole_number

CPU_DETAILS = Path("/proc/cpuinfo")
"""What Linux says of the CPU."""
LARGE_UNIT, SMALL_UNIT, WITHOUT_SMALL = "avx512_vnni", "avx_vnni", "avx512bw"
"""Of x86. Without the unit that ONNX Runtime takes, sums of such products overflow there. With AVX-512 it
takes the large one or none (`platform.cpp` of its library MLAS).
"""
SIGNED_KIND = 3
"""Bytes with a sign, among ONNX's kinds of numbers."""
FIRST_VERSION = 18
"""Of ONNX's operators, the first version that knows `BitwiseXor`."""
CONVOLUTION, ROUNDING = b"ConvInteger", b"DynamicQuantizeLinear"
HALF = b"half of the bytes"
"""The name of an array: 128."""


def signed_inputs_are_quick() -> bool:
    """Whether this CPU has such an instruction."""
    try:
        told = CPU_DETAILS.read_text()
    except OSError:
        return False
    units = set(told.split())
    return LARGE_UNIT in units or (SMALL_UNIT in units and WITHOUT_SMALL not in units)


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
    used = {(node.inputs[0], node.inputs[2]) for node in found if node.kind == CONVOLUTION}
    signed = {(given, zero) for given, zero in used if made.get(given) == zero}
    kept: list[memoryview | bytes] = []
    for node, (_, _, whole) in zip(nodes, fields(graph), strict=True):
        if node and node.kind == CONVOLUTION and (node.inputs[0], node.inputs[2]) in signed:
            kept.append(_signed(node).written)
        else:
            kept.append(whole)
        if node and node.kind == ROUNDING and (node.results[0], node.results[2]) in signed:
            added = [*_with_sign(node.results[0]), *_with_sign(node.results[2])]
            kept += [one.written for one in added]
    return b"".join([*kept, value(ARRAY_OF_GRAPH, array(HALF, np.array(128, np.uint8)))] if signed else kept)


def _node(contents: memoryview) -> Node | None:
    """The node, if it is a convolution or a rounding of its input, with all inputs or results."""
    message = bytes(contents)
    if CONVOLUTION not in message and ROUNDING not in message:
        return None
    node = Node.read(contents)
    convolution = node.kind == CONVOLUTION and len(node.inputs) == 4
    return node if convolution or (node.kind == ROUNDING and len(node.results) == 3) else None


def _signed(node: Node) -> Node:
    given, weights, zero, zero_of_weights = node.inputs
    return replace(node, inputs=(given + b"/signed", weights, zero + b"/signed", zero_of_weights))


def _with_sign(name: bytes) -> Iterator[Node]:
    """128 less, as a byte with a sign. A byte and one with another highest bit are 128 apart.

    Rounding the input once more would take less time, but a fifth more memory.
    """
    yield Node(b"BitwiseXor", (name, HALF), (name + b"/less",))
    yield Node(b"Cast", (name + b"/less",), (name + b"/signed",), attribute("to", SIGNED_KIND))
