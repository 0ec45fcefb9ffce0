"""Products of whole numbers, computed with floating point numbers."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from engines.common.onnx_parts import StoredGraph, UnknownGraph
from engines.kokoro.float_weights import with_float_products

SCALE, ZERO = 0.02, 7


def node(kind: str, given: str, result: str, **attributes: object) -> NodeProto:
    return helper.make_node(kind, given.split(), result.split(), name=result, **attributes)  # type: ignore[arg-type]


def convolution(last: str = "Mul") -> StoredGraph:
    """A convolution as the published graph has it: x rounded, products, bias, scales."""
    nodes = [
        node("DynamicQuantizeLinear", "x", "q xs xz"),
        node("Mul", "xs ws", "scales"),
        node("Div", "bias scales", "b1"),
        node("Floor", "b1", "b2"),
        node("Cast", "b2", "b3", to=TensorProto.INT32),
        node("Reshape", "b3 shape", "b4"),
        node("ConvInteger", "q w xz wz", "sums", pads=[1, 1], kernel_shape=[3], auto_pad="NOTSET"),
        node("Add", "sums b4", "biased"),
        node("Cast", "biased", "floating", to=TensorProto.FLOAT),
        node(last, "floating scales", "y"),
    ]
    rng = np.random.default_rng(1)
    constants = {
        "ws": np.float32(SCALE),
        "wz": np.uint8(ZERO),
        "w": rng.integers(0, 255, (5, 4, 3)).astype(np.uint8),
        "bias": rng.standard_normal(5).astype(np.float32),
        "shape": np.array([1, 5, 1], np.int64),
    }
    arrays = [numpy_helper.from_array(np.asarray(values), name) for name, values in constants.items()]
    shapes = {"x": [1, 4, 9], "y": [1, 5, 9]}
    given, made = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items())
    graph = helper.make_graph(nodes, "test", [given], [made], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return StoredGraph.parsed(memoryview(model.SerializeToString()))


def test_the_result_is_the_same_but_for_the_rounding_of_the_input() -> None:
    graph = convolution()
    x = np.random.default_rng(2).standard_normal((1, 4, 9)).astype(np.float32)
    rounded = np.asarray(InferenceSession(graph.message()).run(None, {"x": x})[0])
    with_float_products(graph)
    graph = graph.part({}, {"y": (1, 5, 9)})
    assert [made.op_type for made in graph.nodes] == ["Conv"]
    exact = np.asarray(InferenceSession(graph.message()).run(None, {"x": x})[0])
    assert exact.shape == rounded.shape
    assert np.abs(exact - rounded).max() < 0.02 * np.abs(exact).max()


def test_another_pattern_is_refused() -> None:
    with pytest.raises(UnknownGraph, match="Mul"):
        with_float_products(convolution(last="Div"))
