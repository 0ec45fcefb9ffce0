"""The speech networks on OpenVINO beside the same on ONNX Runtime, with real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.common import openvino
from engines.common.onnx import session
from engines.kokoro import openvino_network as kokoro
from engines.openvino_library import computes_in_bfloat16
from engines.piper import openvino_network as piper
from engines.types import EngineOptions
from tests.support.openvino import needs_openvino

pytestmark = [pytest.mark.real, needs_openvino]
OPTIONS = EngineOptions(threads=2)


@pytest.fixture(autouse=True)
def _able(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the server uses ONNX Runtime, because it takes less time there."""
    if not computes_in_bfloat16():
        pytest.skip("this CPU does not compute in bfloat16")
    monkeypatch.setattr(openvino, "bfloat16_is_quicker", lambda: True)


def decibels(true: np.ndarray, made: np.ndarray) -> float:
    """How far the error is below the sound."""
    assert true.shape == made.shape
    return float(10 * np.log10((true**2).sum() / ((true - made) ** 2).sum()))


@pytest.mark.parametrize("phonemes", [12, 150])
def test_piper_says_the_same_without_its_noise(storage: Path, phonemes: int) -> None:
    model = next((storage / "weights/piper-en-us-joe-medium").glob("*.onnx"))
    ours = piper.load_parts(model, OPTIONS)
    assert ours
    ids = np.random.default_rng(phonemes).integers(14, 60, (1, phonemes))
    inputs = {
        "input": ids,
        "input_lengths": np.array([phonemes]),
        "scales": np.array([0, 1, 0], np.float32),
    }
    true = session(model, OPTIONS).run(None, inputs)[0].reshape(-1)
    assert decibels(true, ours.run(None, inputs)[0].reshape(-1)) > 30
    ours.rest()
    assert decibels(true, ours.run(None, inputs)[0].reshape(-1)) > 30


def test_kokoro_says_the_same_with_the_same_durations_and_loudness(storage: Path) -> None:
    folder = storage / "weights/kokoro-82m"
    model = next(folder.glob("*.onnx"))
    ours = kokoro.load_parts(model, OPTIONS)
    assert ours
    style = np.fromfile(folder / "af_heart.bin", "<f4").reshape(510, 256)[20:21]
    tokens = np.array([[0, 50, 83, 54, 156, 57, 135, 16, 65, 156, 87, 158, 54, 46, 16, 43, 102, 0]])
    inputs = {"tokens": tokens, "style": style, "speed": np.ones(1, np.float32)}
    true = session(model, OPTIONS).run(None, inputs)[0].reshape(-1)
    made = ours.run(None, inputs, None)[0].reshape(-1)
    assert decibels(true, made) > 15  # both are rounded, in different ways
    assert np.abs(10 * np.log10((made**2).mean() / (true**2).mean())) < 0.3
    assert np.abs(made).max() <= 1
    ours.rest()  # its weights are read from their file then
    assert np.array_equal(ours.run(None, inputs, None)[0].reshape(-1), made)
