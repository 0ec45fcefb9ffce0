"""The speech detector's network on NumPy, beside the same file in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime import InferenceSession

import engines.silero
from engines.errors import WeightsBroken
from engines.silero.network import Network, State


def path() -> Path:
    return engines.silero._file()


@pytest.mark.parametrize("loudness", [0.0, 0.01, 1.0])
def test_its_probabilities_and_states_are_those_of_onnx_runtime(loudness: float) -> None:
    ours, theirs = Network.read(path()), InferenceSession(str(path()), providers=["CPUExecutionProvider"])
    rng, state = np.random.default_rng(5), State.zero()
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    for count in (1, 5, 32):
        frames = (loudness * rng.normal(size=(count, 576))).astype(np.float32)
        found, state = ours.run(frames, state)
        expected, hidden, cell = theirs.run(None, {"input": frames, "h": hidden, "c": cell})
        assert found.dtype == np.float32
        assert found == pytest.approx(expected.reshape(-1), abs=1e-5)
        assert state.hidden == pytest.approx(hidden.reshape(-1), abs=1e-4)
        assert state.cell == pytest.approx(cell.reshape(-1), abs=1e-4)


def test_a_state_that_was_given_stays_as_it_is() -> None:
    network, frames = Network.read(path()), np.ones((3, 576), np.float32)
    _, state = network.run(frames, State.zero())
    first, _ = network.run(frames, state)
    second, _ = network.run(frames, state)
    assert first.tolist() == second.tolist()


def test_a_file_that_is_not_this_network_is_refused(tmp_path: Path) -> None:
    for content in (b"", path().read_bytes()[:5000], b"no network"):
        file = tmp_path / "some.onnx"
        file.write_bytes(content)
        with pytest.raises(WeightsBroken):
            Network.read(file)
