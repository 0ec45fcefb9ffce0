"""Whether ONNX Runtime has an order of arrays on this CPU in which sixteen channels are neighbours.

Law: asks ONNX Runtime itself. Its order depends on the CPU, and is not documented.
"""

from __future__ import annotations

import numpy as np

from engines.common.graph_messages import (
    DOMAIN_OF_VERSION,
    NUMBER_OF_VERSION,
    RESULT_OF_GRAPH,
    VERSIONS_OF_MODEL,
    Node,
    array,
    domain,
)
from engines.common.moved_arrays import ARRAY_OF_GRAPH, GRAPH_OF_MODEL
from engines.common.onnx import session
from engines.common.protobuf_fields import value
from engines.errors import EngineError
from engines.types import EngineOptions

BLOCK_CHANNELS = 16
"""Channels that are neighbours, on CPUs with AVX-512."""
DOMAIN = b"com.microsoft.nchwc"
"""The operators that take arrays in that order."""
FORMAT_OF_MODEL, FORMAT_NUMBER, NAME_OF_GRAPH = 1, 9, 2
FLOAT_TYPE = value(1, value(1, 1))
"""The type of an array of float32, in the messages of ONNX."""


def channels_are_in_blocks() -> bool:
    """Whether they are sixteen."""
    numbers = np.arange(4 * BLOCK_CHANNELS, dtype=np.float32).reshape(1, 2 * BLOCK_CHANNELS, 1, 2)
    try:
        made = session(_model(numbers), EngineOptions(device="cpu", threads=1), optimized=False).run(None, {})
    except EngineError:  # there are no such operators
        return False
    blocks = numbers.reshape(2, BLOCK_CHANNELS, 2).transpose(0, 2, 1)
    return np.array_equal(np.ravel(made[0]), np.ravel(blocks))


def _model(numbers: np.ndarray) -> bytes:
    """One node, which puts these numbers in order."""
    node = Node(b"ReorderInput", (b"x",), (b"y",), domain(DOMAIN)).written
    result = value(RESULT_OF_GRAPH, value(1, b"y") + value(2, FLOAT_TYPE))
    graph = value(NAME_OF_GRAPH, b"probe") + node + value(ARRAY_OF_GRAPH, array(b"x", numbers)) + result
    versions = [
        value(VERSIONS_OF_MODEL, value(DOMAIN_OF_VERSION, name) + value(NUMBER_OF_VERSION, number))
        for name, number in ((b"", 17), (DOMAIN, 1))
    ]
    return b"".join([value(FORMAT_OF_MODEL, FORMAT_NUMBER), value(GRAPH_OF_MODEL, graph), *versions])
