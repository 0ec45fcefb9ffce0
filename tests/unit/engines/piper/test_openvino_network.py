"""Pieces of a sound, and when OpenVINO makes it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from engines.common import openvino
from engines.piper import openvino_network
from engines.piper.openvino_network import NEIGHBOUR_FRAMES, PIECE_FRAMES, load_parts, pieces
from engines.types import EngineOptions


@pytest.mark.parametrize(
    "frames", [1, NEIGHBOUR_FRAMES, PIECE_FRAMES - 1, PIECE_FRAMES, PIECE_FRAMES + 1, 2 * PIECE_FRAMES, 1000]
)
def test_each_frame_is_kept_once_and_has_its_neighbours(frames: int) -> None:
    kept: list[int] = []
    for start, end, part in pieces(frames):
        assert 0 < end - start <= PIECE_FRAMES
        first, last = start + part.start, start + part.stop
        assert first == 0 or first - start >= NEIGHBOUR_FRAMES
        assert last == frames or end - last >= NEIGHBOUR_FRAMES
        kept += range(first, last)
    assert kept == list(range(frames))


@pytest.mark.parametrize("options", [EngineOptions(openvino=False), EngineOptions(device="cuda")], ids=str)
def test_it_is_not_used_where_it_is_not_wanted(options: EngineOptions) -> None:
    assert load_parts(Path("absent.onnx"), options) is None


def voice_of_several(file: Path) -> None:
    """A graph whose sound is made from frames and from the number of a speaker."""
    nodes = [
        helper.make_node("Neg", ["x"], ["frames"]),
        helper.make_node("Conv", ["frames", "w"], ["h"], name=openvino_network.FIRST_LAYER),
        helper.make_node("Add", ["h", "sid"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, "n"]),
        helper.make_tensor_value_info("sid", TensorProto.FLOAT, [1]),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "n"])
    weight = numpy_helper.from_array(np.ones((1, 2, 1), np.float32), "w")
    graph = helper.make_graph(nodes, "voice", inputs, [output], [weight])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)


def test_a_voice_of_several_speakers_is_left_to_onnx_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(openvino, "bfloat16_is_quicker", lambda: True)
    voice_of_several(tmp_path / "voice.onnx")
    assert load_parts(tmp_path / "voice.onnx", EngineOptions(device="cpu", threads=1)) is None
    assert "the number of a speaker" in caplog.text
