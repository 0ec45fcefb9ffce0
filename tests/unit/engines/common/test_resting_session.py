"""A whole ONNX file whose weights are not in the memory of the process at rest."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from engines.common import resting_session as tested
from engines.common.evictable_arrays import EvictableArrays
from engines.common.resting_session import resting_graph, resting_session
from engines.errors import WeightsBroken
from engines.types import EngineOptions

ONE_THREAD = EngineOptions(device="cpu", threads=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A convolution with 4 MB of weights."""
    weights = np.random.default_rng(0).normal(size=(1024, 1024, 1)).astype(np.float32)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1024, "frames"])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1024, "frames"])
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "test", [given], [made], [numpy_helper.from_array(weights, "w")])
    path = tmp_path / "whole.onnx"
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(whole.SerializeToString())
    return path


def weights_in_memory(folder: Path) -> int:
    """Kilobytes of files without a name in that folder, in the memory of this process."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            ours = str(folder) in line and "(deleted)" in line
        elif ours and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


def test_it_gives_the_same_before_and_after_a_rest(file: Path) -> None:
    x = {"x": np.ones((1, 1024, 3), np.float32)}
    true = InferenceSession(str(file)).run(None, x)[0]
    network = resting_session(file, ONE_THREAD)
    assert network.get_inputs()[0].name == "x"
    assert np.allclose(network.run(None, x)[0], true, atol=1e-3)
    if EvictableArrays(file)._map is None:
        pytest.skip("the file system of the temporary folder does not know O_TMPFILE")
    assert weights_in_memory(file.parent) >= 4096
    network.rest()
    assert weights_in_memory(file.parent) == 0
    assert np.allclose(network.run(None, x)[0], true, atol=1e-3)


@pytest.mark.parametrize("contents", [b"\xff" * 100, b"", b"\x3a\x02\x2a\x00", None])
def test_a_damaged_file_is_told_by_its_name(tmp_path: Path, contents: bytes | None) -> None:
    path = tmp_path / "voice.onnx"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(WeightsBroken, match=r"voice\.onnx"):
        resting_session(path, ONE_THREAD)


def refused(graph: bytes) -> bytes:
    """With an input that nothing gives."""
    model = ModelProto.FromString(graph)
    model.graph.node[0].input[0] = "nothing"
    return bytes(model.SerializeToString())


def broken(graph: bytes) -> bytes:
    raise IndexError("there is no such node")


@pytest.mark.parametrize("rewrite", [refused, broken])
def test_a_graph_that_cannot_be_rewritten_is_computed_as_it_is_written(
    file: Path, rewrite: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    x = {"x": np.ones((1, 1024, 3), np.float32)}
    true = InferenceSession(str(file)).run(None, x)[0]
    for more in ({"rewrite": rewrite}, {"rewrite_all": lambda whole: rewrite(bytes(whole))}):
        caplog.clear()
        network = resting_session(file, ONE_THREAD, **more)
        assert np.allclose(network.run(None, x)[0], true, atol=1e-3)
        assert network._weights, "its weights can be given back all the same"
        assert "`whole.onnx` is computed as it is written" in caplog.text


def test_on_a_gpu_the_weights_stay(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(tested, "session", lambda model, options: asked.append((model, options)))
    options = EngineOptions(device="cuda")
    resting_session(file, options).rest()
    assert asked == [(file, options)]


@pytest.mark.parametrize("lost", ["", "memfd_create"])
def test_a_graph_in_memory_is_written_otherwise_and_gives_the_same(
    file: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With or without files in memory."""
    if lost:
        monkeypatch.delattr(os, lost)
    x = {"x": np.ones((1, 1024, 3), np.float32)}
    true = InferenceSession(str(file)).run(None, x)[0]
    network = resting_graph(file.read_bytes(), file, ONE_THREAD)
    assert np.array_equal(network.run(None, x)[0], true)
    assert (network._weights is not None) == hasattr(os, "memfd_create")
    network.rest()
    assert weights_in_memory(file.parent) == 0
    assert np.array_equal(network.run(None, x)[0], true)


def test_a_damaged_graph_in_memory_is_refused(file: Path) -> None:
    with pytest.raises(WeightsBroken, match="in memory"):
        resting_graph(b"\xff" * 100, file, ONE_THREAD)
