"""The weights of convolutions of whole numbers as floating point numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper
from onnxruntime import InferenceSession

from engines.common.onnx_parts import StoredGraph, UnknownGraph
from engines.kokoro.float_weights import Convolutions

SCALE, ZERO = 0.02, 7


def node(kind: str, given: str, result: str, **attributes: object) -> NodeProto:
    return helper.make_node(kind, given.split(), result.split(), name=result, **attributes)  # type: ignore[arg-type]


def convolution(**changed: np.ndarray) -> StoredGraph:
    """A convolution as the published graph has it: x rounded, products, bias, scales."""
    nodes = [
        node("DynamicQuantizeLinear", "x", "q xs xz"),
        node("Mul", "xs ws", "scales"),
        node("Div", "bias scales", "b1"),
        node("Floor", "b1", "b2"),
        node("Cast", "b2", "b3", to=TensorProto.INT32),
        node("Reshape", "b3 shape", "b4"),
        node("ConvInteger", "q w xz wz", "sums", pads=[2, 2], dilations=[2], kernel_shape=[3]),
        node("Add", "sums b4", "biased"),
        node("Cast", "biased", "floating", to=TensorProto.FLOAT),
        node("Mul", "floating scales", "y"),
    ]
    rng = np.random.default_rng(1)
    constants: dict[str, Any] = {
        "ws": np.float32(SCALE),
        "wz": np.uint8(ZERO),
        "w": rng.integers(0, 255, (5, 4, 3)).astype(np.uint8),
        "bias": rng.standard_normal(5).astype(np.float32),
        "shape": np.array([1, 5, 1], np.int64),
        **changed,
    }
    shapes = {"x": [1, 4, 9], "y": [1, 5, 9]}
    given, made = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items())
    inner = helper.make_graph(nodes, "test", [given], [made])
    versions = {"opset_imports": [helper.make_opsetid("", 17)], "ir_version": 9}
    graph = StoredGraph(helper.make_model(inner, **versions), {})
    for name, values in constants.items():
        graph.add(name, np.asarray(values))
    return graph


def test_the_result_is_the_same_but_for_roundings() -> None:
    graph = convolution()
    x = np.random.default_rng(2).standard_normal((1, 4, 9)).astype(np.float32)
    rounded = np.asarray(InferenceSession(graph.message()).run(None, {"x": x})[0])
    found = Convolutions(graph)["y"]
    weights = (found.weights.astype(np.uint32) << 16).view(np.float32)
    padded = np.pad(x[0], ((0, 0), found.pads))
    taps = [padded[:, at : at + 9] for at in range(0, 5, found.dilations[0])]
    exact = np.einsum("oit,tis->os", weights, np.stack(taps)) + found.bias[:, None]
    assert found.strides == [1]
    assert np.abs(exact - rounded[0]).max() < 0.02 * np.abs(exact).max()


def test_other_patterns_are_refused() -> None:
    with pytest.raises(UnknownGraph, match="scales needs no Cast"):
        Convolutions(convolution())["scales"]
    with pytest.raises(UnknownGraph, match="Nothing makes z"):
        Convolutions(convolution())["z"]
    with pytest.raises(UnknownGraph, match="another kind"):
        Convolutions(convolution(ws=np.ones(5, np.float32)))["y"]
