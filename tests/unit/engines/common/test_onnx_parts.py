"""Parts of ONNX graphs."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from engines.common.evictable_arrays import EvictableArrays
from engines.common.onnx import session
from engines.common.onnx_parts import StoredGraph, UnknownGraph
from engines.types import EngineOptions


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


def whole() -> StoredGraph:
    return StoredGraph.parsed(memoryview(model().SerializeToString()))


def run(part: StoredGraph, **inputs: list[float]) -> list[float]:
    given = {name: np.array(values, np.float32) for name, values in inputs.items()}
    return [float(v) for v in InferenceSession(part.message()).run(None, given)[0]]


def test_two_parts_give_what_the_whole_gives() -> None:
    before = whole().part({}, {"doubled": (2,)})
    after = whole().part({"doubled": (2,)}, {"y": (2,)})
    assert before.inputs == ["x"]
    assert set(after.inputs) == {"doubled", "z"}
    assert "two" in before
    assert "two" not in after
    doubled = run(before, x=[1, 2])
    assert run(after, doubled=doubled, z=[10, 20]) == run(whole().part({}, {"y": (2,)}), x=[1, 2], z=[10, 20])
    assert doubled == [2, 4]


def test_the_message_says_what_was_read() -> None:
    again = ModelProto.FromString(whole().message())
    assert again == model()


def test_a_part_that_needs_an_array_that_nothing_makes_is_refused() -> None:
    changed = whole()
    changed.replace_nodes(changed.nodes[1:])
    with pytest.raises(UnknownGraph, match="doubled"):
        changed.part({}, {"y": (2,)})


def test_bfloat16_is_the_nearest_number_of_eight_bits() -> None:
    changed = whole()
    changed.add_bfloat16("rounded", np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -3.14159], np.float32))
    assert changed["rounded"].astype(np.float32).tolist() == [1.0, 1.0, 1 + 2**-6, -3.140625]


def test_large_arrays_are_used_where_they_were_moved_to(tmp_path: Path) -> None:
    file = tmp_path / "graph.onnx"
    file.write_bytes(bytes(64 * 1024))
    weight = np.arange(100 * 100, dtype=np.float32).reshape(100, 100)
    graph = whole()
    graph.add("weight", weight)
    graph.replace_nodes([helper.make_node("Add", ["x", "weight"], ["y"])])
    part = graph.part({"x": (1, 100)}, {"y": (100, 100)})
    arrays = EvictableArrays(file)
    moved = part.move_large_arrays(file, arrays)
    assert len(part.message()) < 1000
    network = session(part.message(), EngineOptions(threads=1), optimized=False, given=moved)
    given = {"x": np.ones((1, 100), np.float32)}
    for factor in (1, 2):
        arrays.evict()
        assert np.allclose(network.run(None, given)[0], 1 + factor * weight), "they were copied"
        np.copyto(moved.arrays["weight"], 2 * weight)
    del moved, arrays
    gc.collect()
    assert np.allclose(network.run(None, given)[0], 1 + 2 * weight), "the session does not keep them"
    with pytest.raises(UnknownGraph, match="a file of its own"):
        part["weight"]


def test_a_graph_behind_a_link_is_found_and_text_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "blob").write_bytes(bytes(64 * 1024))
    link = tmp_path / "graph.onnx"
    link.symlink_to(tmp_path / "elsewhere" / "blob")
    graph = whole()
    graph.add("weight", np.arange(100 * 100, dtype=np.float32).reshape(100, 100))
    graph.replace_nodes([helper.make_node("Add", ["x", "weight"], ["y"])])
    part = graph.part({"x": (1, 100)}, {"y": (100, 100)})
    names = TensorProto(name="names", data_type=TensorProto.STRING, dims=[2], string_data=[b"a" * 9_000] * 2)
    part._arrays["names"] = names.SerializeToString()
    moved = part.move_large_arrays(link, EvictableArrays(link))
    assert list(moved.arrays) == ["weight"]
    del part._arrays["names"]
    network = session(part.message(), EngineOptions(threads=1), optimized=False, given=moved)
    assert network.run(None, {"x": np.ones((1, 100), np.float32)})[0][99, 99] == 10_000


@pytest.mark.parametrize(
    "contents", [b"", b"\xff" * 100, b"\x3a\x7f", b"\x3a\x02\x2a\x00", b"\x3b\x00"], ids=repr
)
def test_a_damaged_file_is_refused(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "damaged.onnx").write_bytes(contents)
    for name in ("damaged.onnx", "absent.onnx"):
        with pytest.raises(UnknownGraph, match="cannot be read"):
            StoredGraph.read(tmp_path / name)


def test_a_message_that_ends_anywhere_is_read_or_refused() -> None:
    message = model().SerializeToString()
    for end in range(len(message)):
        try:
            StoredGraph.parsed(memoryview(message[:end]))
        except UnknownGraph:
            continue
    assert StoredGraph.parsed(memoryview(message))["two"].tolist() == [2, 2]


def test_an_unknown_constant_is_refused() -> None:
    with pytest.raises(UnknownGraph, match="three"):
        whole()["three"]


def test_a_damaged_array_is_refused_when_it_is_read() -> None:
    packed_sizes_that_end_too_early = b"\x0a\x01\x80"
    graph = StoredGraph(model(), {"two": packed_sizes_that_end_too_early})
    with pytest.raises(UnknownGraph, match="two cannot be read"):
        graph["two"]


def test_an_array_in_a_file_of_its_own_is_refused() -> None:
    array = numpy_helper.from_array(np.zeros(2, np.float32), "two")
    array.data_location = TensorProto.EXTERNAL
    with pytest.raises(UnknownGraph, match="file of its own"):
        StoredGraph(model(), {"two": array.SerializeToString()})["two"]
