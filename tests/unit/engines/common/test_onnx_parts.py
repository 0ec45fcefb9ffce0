"""Parts of ONNX graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from engines.common.onnx_parts import Arrays, UnknownGraph, part, read


def model() -> ModelProto:
    """`y` is twice `x` plus `z`, and `unused` needs `other`."""
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["doubled"]),
        helper.make_node("Neg", ["other"], ["unused"]),
        helper.make_node("Add", ["doubled", "z"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "z", "other")]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("y", "unused")]
    two = numpy_helper.from_array(np.full(2, 2, np.float32), "two")
    graph = helper.make_graph(nodes, "sums", inputs, outputs, [two])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def run(part_of_it: ModelProto, **inputs: list[float]) -> list[float]:
    given = {name: np.array(values, np.float32) for name, values in inputs.items()}
    return [float(v) for v in InferenceSession(part_of_it.SerializeToString()).run(None, given)[0]]


def test_two_parts_give_what_the_whole_gives() -> None:
    before = part(model(), {}, {"doubled": (2,)})
    after = part(model(), {"doubled": (2,)}, {"y": (2,)})
    assert [found.name for found in before.graph.input] == ["x"]
    assert {found.name for found in after.graph.input} == {"doubled", "z"}
    assert not after.graph.initializer
    doubled = run(before, x=[1, 2])
    assert run(after, doubled=doubled, z=[10, 20]) == run(
        part(model(), {}, {"y": (2,)}), x=[1, 2], z=[10, 20]
    )
    assert doubled == [2, 4]


def test_a_part_that_needs_an_array_that_nothing_makes_is_refused() -> None:
    changed = model()
    del changed.graph.node[0]
    with pytest.raises(UnknownGraph, match="doubled"):
        part(changed, {}, {"y": (2,)})


def test_bfloat16_is_the_nearest_number_of_eight_bits() -> None:
    changed = model()
    arrays = Arrays(changed)
    arrays.add_bfloat16("rounded", np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -3.14159], np.float32))
    kept = numpy_helper.to_array(changed.graph.initializer[-1]).astype(np.float32)
    assert kept.tolist() == [1.0, 1.0, 1 + 2**-6, -3.140625]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"\xff" * 100)
    for name in ("damaged.onnx", "absent.onnx"):
        with pytest.raises(UnknownGraph, match="cannot be read"):
            read(tmp_path / name)


def test_an_unknown_constant_is_refused() -> None:
    with pytest.raises(UnknownGraph, match="three"):
        Arrays(model())["three"]
