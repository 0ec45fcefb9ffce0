"""Which graphs Kokoro's vocoder is made of (its sound: tests/contract/test_speech_networks.py)."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from engines.common import openvino
from engines.common.openvino import compiled
from engines.kokoro import vocoder_network
from engines.kokoro.openvino_network import load_parts
from engines.kokoro.vocoder_network import SAID, SPECTRUM
from engines.openvino_library import import_openvino
from engines.types import EngineOptions
from tests.support.openvino import needs_openvino


@needs_openvino
def test_the_activations_are_squared_sines() -> None:
    library, made = import_openvino(), vocoder_network._Vocoder.__new__(vocoder_network._Vocoder)
    from openvino import opset13

    made._ops, made._numbers = opset13, {}
    turns = opset13.parameter([1001], np.float32)
    network = library.Model([made._squared_sine(turns)], [turns], "activation")
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    found = compiled(network, calls=1, threads=1, group=0, precision="f32")([values])[0]
    np.testing.assert_allclose(found, np.sin(np.pi * values) ** 2, atol=3e-5)


def test_another_graph_is_left_to_onnx_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(openvino, "bfloat16_is_quicker", lambda: True)
    given, made = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in (SAID, SPECTRUM))
    graph = helper.make_graph([helper.make_node("Sin", [SAID], [SPECTRUM])], "other", [given], [made])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "other.onnx")
    assert load_parts(tmp_path / "other.onnx", EngineOptions(device="cpu", threads=1)) is None
    assert "not the one that was measured" in caplog.text
