"""The ONNX graphs of the speaker models: the same numbers as PyTorch's, the same bytes everywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import torch_starter
from engines.speakers import campplus, safe_unpickling, segmentation
from engines.speakers.encoder import WEIGHTS, load, network
from engines.speakers.engine import SEGMENTATION
from engines.speakers.filter_banks import MEL_BANDS, bands
from engines.types import SAMPLE_RATE, EngineOptions, Samples
from tests.conftest import JFK
from tests.support.sound import decode, noise

pytestmark = pytest.mark.real
HASHES = {
    "segmentation": "3b6589d760a1e45c72348990a3668de04b29f0e2d1058408a111d7b88fccd1a5",
    "campplus": "2a57650e03ada53abd029edf4c0d4cbd24e5c7683e50a66385a68c3e0b25be07",
}
"""SHA-256 of the graphs that are made from the starter weights. Other bytes mean that the code that makes
the graphs was changed.
"""


@pytest.fixture(scope="module")
def folder(storage: Path) -> Path:
    return storage / "weights/pyannote-starter"


@pytest.fixture(scope="module")
def theirs(folder: Path) -> tuple[Any, Any]:
    return torch_starter.networks(folder, EngineOptions())


@pytest.fixture(scope="module")
def speech() -> Samples:
    return np.asarray(decode(JFK.read_bytes())[: 10 * SAMPLE_RATE])


def test_every_array_is_what_pytorch_reads(folder: Path) -> None:
    import torch

    ours = safe_unpickling.read(folder / WEIGHTS)
    reference = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
    assert ours.keys() == reference.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, reference[name].numpy())


def test_the_graphs_are_the_same_bytes_everywhere(folder: Path) -> None:
    arrays = safe_unpickling.read(folder / SEGMENTATION)["state_dict"]
    made = {
        "segmentation": segmentation.graph(arrays),
        "campplus": campplus.graph(safe_unpickling.read(folder / WEIGHTS)),
    }
    assert {name: hashlib.sha256(data).hexdigest() for name, data in made.items()} == HASHES


def test_segmentation(folder: Path, theirs: tuple[Any, Any], speech: Samples) -> None:
    import torch

    ours = network(folder / SEGMENTATION, segmentation.graph, EngineOptions(), key="state_dict")
    windows = np.stack([speech, np.roll(speech, 40_000), np.zeros_like(speech), noise(10, 0.1)])
    scores = ours.run(None, {"sound": windows})[0]
    with torch.inference_mode():
        reference = theirs[0](torch.from_numpy(windows)[:, None]).numpy()
    scores = scores - scores.max(axis=-1, keepdims=True)
    likely = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    heard = [
        0,
        1,
        3,
    ]  # row 2 is digital silence: rounding changes its scores, and no speaker comes near the threshold
    np.testing.assert_allclose(likely[heard], reference[heard], atol=2e-3)
    assert (scores.argmax(-1) != reference.argmax(-1)).mean() < 0.001
    talking = segmentation.active(scores)
    assert talking.shape == (4, 589, 3)
    assert talking[0].any(axis=1).mean() > 0.5
    assert not talking[2].any()


@pytest.mark.parametrize("samples", [3_200, 8_000, 15_999, 32_240, 32_400, 64_123, 160_000])
def test_speaker_vectors(folder: Path, theirs: tuple[Any, Any], speech: Samples, samples: int) -> None:
    reference = torch_starter.OwnVoices(theirs[1]).embed(speech[:samples])
    ours = load(folder, EngineOptions())._vector(speech[:samples])
    np.testing.assert_allclose(ours, reference, atol=1e-4)


@pytest.mark.parametrize("samples", [0, 399, 400, 560, 16_000, 160_000])
def test_filter_banks(speech: Samples, samples: int) -> None:
    ours = bands(speech[:samples])
    if samples < 400:
        assert ours.shape == (0, MEL_BANDS)
        return
    np.testing.assert_allclose(ours, torch_starter.torch_bands(speech[:samples]).numpy(), atol=1e-2)
