"""Operators that are replaced give what they gave before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper
from onnxruntime import InferenceSession

from engines.common.onnx_parts import StoredGraph
from engines.common.quick_operators import with_bfloat16_weights, with_quick_operators

CHANNELS, FRAMES = 6, 21
UPSAMPLING = {"kernel_shape": [8], "strides": [4], "pads": [2, 2]}


def model(*nodes: NodeProto, **constants: np.ndarray) -> StoredGraph:
    """Of the input `x`, the nodes make `y`."""
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, CHANNELS, FRAMES])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    inner = helper.make_graph(nodes, "test", [given], [made])
    graph = StoredGraph(
        helper.make_model(inner, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), {}
    )
    for name, values in constants.items():
        graph.add(name, values)
    return graph


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def run(graph: StoredGraph, x: np.ndarray) -> np.ndarray:
    return np.asarray(InferenceSession(graph.message()).run(None, {"x": x})[0])


def kinds(graph: StoredGraph) -> list[str]:
    return [node.op_type for node in graph.nodes]


def upsampling(**changed: Any) -> StoredGraph:
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], **{**UPSAMPLING, **changed})
    size = changed.get("kernel_shape", [8])[0]
    return model(node, w=noise(CHANNELS, 5, size), b=noise(5))


def test_a_transposed_convolution_becomes_a_convolution() -> None:
    graph, x = upsampling(), noise(1, CHANNELS, FRAMES)
    true = run(graph, x)
    with_quick_operators(graph)
    assert "Conv" in kinds(graph)
    assert "ConvTranspose" not in kinds(graph)
    assert true.shape == (1, 5, 4 * FRAMES)
    np.testing.assert_allclose(run(graph, x), true, atol=1e-5)


@pytest.mark.parametrize(
    "changed",
    [{"kernel_shape": [12]}, {"pads": [1, 3]}, {"dilations": [2]}, {"output_padding": [1]}],
    ids=str,
)
def test_others_stay(changed: dict[str, Any]) -> None:
    graph = upsampling(**changed)
    with_quick_operators(graph)
    assert kinds(graph) == ["ConvTranspose"]


def test_weights_are_rounded_to_bfloat16() -> None:
    graph = model(helper.make_node("MatMul", ["x", "w"], ["y"]), w=noise(FRAMES, 4))
    with_bfloat16_weights(graph)
    assert kinds(graph) == ["Cast", "MatMul", "Cast"]
    (kept,) = (graph[name] for name in graph.nodes[1].input if name in graph)
    assert kept.dtype == "bfloat16"
    np.testing.assert_allclose(kept.astype(np.float32), noise(FRAMES, 4), rtol=2**-8)
