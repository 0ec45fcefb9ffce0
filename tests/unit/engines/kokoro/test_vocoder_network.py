"""Which graphs Kokoro's vocoder is made of (its sound: tests/contract/test_speech_networks.py)."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from engines.common import openvino
from engines.kokoro.openvino_network import load_parts
from engines.kokoro.vocoder_network import COSINE_FACTORS, SAID, SPECTRUM
from engines.types import EngineOptions


def test_the_polynomial_gives_a_squared_sine() -> None:
    distance = np.linspace(-0.5, 0.5, 1001)
    factor, shift, offset = COSINE_FACTORS
    cosine = factor * (distance**2 + shift) ** 2 + offset
    turns = distance + 0.5
    np.testing.assert_allclose((2 * cosine**2 - 1) ** 2, np.sin(np.pi * turns) ** 2, atol=3e-5)


def test_another_graph_is_left_to_onnx_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(openvino, "computes_in_bfloat16", lambda: True)
    given, made = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in (SAID, SPECTRUM))
    graph = helper.make_graph([helper.make_node("Sin", [SAID], [SPECTRUM])], "other", [given], [made])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "other.onnx")
    assert load_parts(tmp_path / "other.onnx", EngineOptions(device="cpu", threads=1)) is None
    assert "not the one that was measured" in caplog.text
