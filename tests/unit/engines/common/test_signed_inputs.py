"""Convolutions of whole numbers give the same with signed inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from engines.common import signed_inputs
from engines.common.signed_inputs import signed_inputs_are_quick, with_signed_inputs


def quantised(*more: NodeProto, zero: str = "zero", version: int = 20) -> ModelProto:
    """Two convolutions of one rounded input. `more`: further nodes. `zero`: the input's zero point.
    `version`: of the operators.
    """
    random = np.random.default_rng(0)
    arrays = [
        numpy_helper.from_array(random.integers(0, 256, (8, 16, 3)).astype(np.uint8), name) for name in "vw"
    ]
    arrays += [numpy_helper.from_array(np.array(99, np.uint8), name) for name in ("of v", "of w")]
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["rounded", "scale", "zero"], name="ConvInteger"),
        *(
            helper.make_node("ConvInteger", ["rounded", name, zero, f"of {name}"], [f"y{name}"], pads=[1, 1])
            for name in "vw"
        ),
        *more,
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, "n"])
    made = [helper.make_tensor_value_info(f"y{name}", TensorProto.INT32, [1, 8, "n"]) for name in "vw"]
    graph = helper.make_graph(nodes, "test", [given], made, arrays)
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("extra", 99), helper.make_opsetid("", version)],
        ir_version=9,
    )


def kinds(model: bytes) -> list[str]:
    return [node.op_type for node in ModelProto.FromString(model).graph.node]


@pytest.mark.parametrize("shift", [-3.0, 0.0, 5.0])
def test_the_sums_are_the_same_numbers(shift: float) -> None:
    if not signed_inputs_are_quick():
        pytest.skip("this CPU has no VNNI, without which ONNX Runtime's sums overflow")
    before = quantised().SerializeToString()
    after = with_signed_inputs(before)
    assert kinds(after) == ["DynamicQuantizeLinear", *["BitwiseXor", "Cast"] * 2, *["ConvInteger"] * 2]
    for seed in range(3):
        x = {"x": np.random.default_rng(seed).normal(shift, 1, (1, 16, 50)).astype(np.float32)}
        true, made = (InferenceSession(one).run(None, x) for one in (before, after))
        assert all(np.array_equal(*both) for both in zip(true, made, strict=True))


def test_what_is_built_otherwise_stays() -> None:
    """A zero point from elsewhere, nodes with fewer inputs or results, and versions that lack an operator."""
    short = [
        helper.make_node("ConvInteger", ["rounded", "v"], ["a"]),
        helper.make_node("DynamicQuantizeLinear", ["x"], ["b"]),
        helper.make_node("Neg", ["ConvInteger"], ["c"]),
    ]
    for model in (quantised(*short, zero="another"), quantised(version=17), ModelProto()):
        assert with_signed_inputs(model.SerializeToString()) == model.SerializeToString()


@pytest.mark.parametrize("zero", ["another", ""])
def test_a_convolution_with_another_zero_point_keeps_its_inputs_beside_others(zero: str) -> None:
    other = helper.make_node("ConvInteger", ["rounded", "v", zero, "of v"], ["other"])
    after = ModelProto.FromString(with_signed_inputs(quantised(other).SerializeToString()))
    given = [list(node.input) for node in after.graph.node if node.op_type == "ConvInteger"]
    assert [names[0] for names in given] == ["rounded/signed"] * 2 + ["rounded"]
    assert given[-1] == ["rounded", "v", zero, "of v"]


def test_a_damaged_model_is_refused_or_read() -> None:
    """`ValueError` is what the caller expects."""
    message = quantised().SerializeToString()
    for end in range(len(message)):
        try:
            with_signed_inputs(message[:end])
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("told", "quick"),
    [
        ("flags : avx2 avx512_vnni\n", True),
        ("flags : avx2 avx_vnni", True),
        ("flags : avx2 avx512bw avx_vnni", False),
        ("flags : avx2", False),
        ("", False),
    ],
)
def test_it_is_quick_on_cpus_with_that_instruction(
    tmp_path: Path, told: str, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(signed_inputs, "CPU_DETAILS", file)
    assert not signed_inputs_are_quick()
    file.write_text(told)
    assert signed_inputs_are_quick() is quick
