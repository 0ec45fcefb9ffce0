"""The speech networks whose graphs are rewritten for ONNX Runtime, with real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.common.blocked_layout import with_blocked_layout
from engines.common.layout_probe import channels_are_in_blocks
from engines.common.resting_session import resting_session
from engines.common.signed_inputs import signed_inputs_are_quick, with_signed_inputs
from engines.types import EngineOptions

pytestmark = pytest.mark.real
OPTIONS = EngineOptions(device="cpu", threads=2)


@pytest.mark.parametrize("threads", [1, 2])
def test_piper_makes_the_same_sound_in_the_other_order_of_arrays(storage: Path, threads: int) -> None:
    if not channels_are_in_blocks():
        pytest.skip("the vocoder is not rewritten on this CPU, which has no AVX-512")
    model = next((storage / "weights/piper-en-us-joe-medium").glob("*.onnx"))
    rewritten: list[bytes] = []

    def rewrite(graph: memoryview) -> bytes:
        rewritten.append(bytes(with_blocked_layout(graph, threads)))
        assert rewritten[0] != bytes(graph)
        return rewritten[0]

    ours = resting_session(model, OPTIONS, memory_plans=False, rewrite_all=rewrite)
    true = resting_session(model, OPTIONS, memory_plans=False)
    for signs in (1, 2, 60):
        ids = np.array([[1, 0, *[14, 0] * signs, 2]])
        inputs = {
            "input": ids,
            "input_lengths": np.array([ids.size]),
            "scales": np.array([0, 1, 0], np.float32),
        }
        assert np.allclose(ours.run(None, inputs)[0], true.run(None, inputs)[0], atol=1e-5)
    assert rewritten


def test_kokoro_makes_the_same_samples_with_signed_inputs(storage: Path) -> None:
    if not signed_inputs_are_quick():
        pytest.skip("Kokoro is not rewritten on this CPU, which has no VNNI")
    folder = storage / "weights/kokoro-82m"
    model = next(folder.glob("*int8*.onnx"))
    sessions = [
        resting_session(model, OPTIONS, memory_plans=False, packed=False, rewrite=rewrite)
        for rewrite in (None, with_signed_inputs)
    ]
    style = np.fromfile(folder / "af_heart.bin", "<f4").reshape(510, 256)[20:21]
    tokens = np.array([[0, 50, 83, 54, 156, 57, 135, 16, 65, 156, 87, 158, 54, 46, 16, 43, 102, 0]])
    inputs = {"tokens": tokens, "style": style, "speed": np.ones(1, np.float32)}
    true, made = (one.run(None, inputs)[0] for one in sessions)
    assert np.array_equal(true, made)
