"""The encoder on OpenVINO, with small random weights (real ones: tests/contract/test_whisper_encoder.py)."""

from __future__ import annotations

import logging
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.types import EngineOptions
from engines.whisper import openvino_encoder
from engines.whisper.attended_silence import AttendedSilence
from engines.whisper.ctranslate2_weights import Weights, read_arrays
from engines.whisper.openvino_encoder import OpenVinoEncoder, load_encoder, sharing
from tests.support.ctranslate2_file import write_encoder

WIDTH, HEADS, BANDS = 32, 2, 8
OPTIONS = EngineOptions(device="cpu", threads=1, workers=2)
Floats = NDArray[np.float32]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of a measured width, on a CPU that suits."""
    write_encoder(tmp_path, WIDTH, HEADS, bands=BANDS)
    monkeypatch.setattr(openvino_encoder, "MEASURED_WIDTHS", (WIDTH,))
    monkeypatch.setattr(openvino_encoder, "computes_in_bfloat16", lambda: True)
    return tmp_path


@pytest.fixture(params=[True, False], ids=["bfloat16", "float32"])
def encoder(folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> OpenVinoEncoder:
    monkeypatch.setattr(openvino_encoder, "bfloat16_is_quicker", lambda: request.param)
    made = load_encoder(folder, OPTIONS)
    assert made
    return made


def features(frames: int) -> Floats:
    return np.random.default_rng(frames).normal(0, 1, (1, BANDS, frames)).astype(np.float32)


def gelu(x: Floats) -> Floats:
    return np.asarray(np.vectorize(lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))))(x), np.float32)


def normalised(x: Floats, w: Weights, name: str) -> Floats:
    flat = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return np.asarray(flat * w[f"{name}/gamma"] + w[f"{name}/beta"], np.float32)


def linear(x: Floats, w: Weights, name: str) -> Floats:
    return np.asarray(x @ w[f"{name}/weight"].T + w[f"{name}/bias"], np.float32)


def convolution(x: Floats, w: Weights, name: str, stride: int) -> Floats:
    """`x`: (frames, channels)."""
    padded = np.pad(x, ((1, 1), (0, 0)))
    taps = [padded[at : at + len(x)] @ w[f"{name}/weight"][:, :, at].T for at in range(3)]
    return gelu((np.sum(taps, axis=0) + w[f"{name}/bias"])[::stride])


def expected(w: Weights, mel: Floats, silent: AttendedSilence | None = None) -> Floats:
    """The encoder by its definition: (bands, frames) -> (positions, width)."""
    x = convolution(convolution(mel.T, w, "conv1", 1), w, "conv2", 2)
    x = x + w["position_encodings/encodings"][: len(x)]
    for number in range(w.layers):
        name = f"layer_{number}/self_attention"
        y = linear(normalised(x, w, f"{name}/layer_norm"), w, f"{name}/linear_0")
        queries, keys, values = np.split(y, 3, axis=1)
        counts = np.ones(len(x))
        if silent:
            kept = [as_floats(one)[0] for one in silent.after(len(x))[2 * number : 2 * number + 2]]
            keys, values = (np.concatenate(pair) for pair in zip((keys, values), kept, strict=True))
            counts = np.exp(silent.counts(len(x)))
        seen = []
        for head in range(HEADS):
            q, k, v = (part[:, head * 16 : head * 16 + 16] for part in (queries, keys, values))
            shares = np.exp(q @ k.T / 4) * counts
            seen.append(shares / shares.sum(1, keepdims=True) @ v)
        x = x + linear(np.concatenate(seen, 1), w, f"{name}/linear_1")
        y = linear(normalised(x, w, f"layer_{number}/ffn/layer_norm"), w, f"layer_{number}/ffn/linear_0")
        x = x + linear(gelu(y), w, f"layer_{number}/ffn/linear_1")
    return normalised(x, w, "layer_norm")


def as_floats(halves: NDArray[np.uint16]) -> Floats:
    return (halves.astype(np.uint32) << 16).view(np.float32)


def assert_near(row: Floats, true: Floats) -> None:
    """int8 and bfloat16 have two to three digits."""
    assert row.shape == true.shape
    assert np.abs(row - true).mean() < 0.05 * np.abs(true).mean()


@pytest.mark.parametrize("frames", [50, 51, 400])
def test_the_encoding_is_that_of_the_definition(encoder: OpenVinoEncoder, folder: Path, frames: int) -> None:
    weights, mel = Weights(read_arrays(folder / "model.bin"), "encoder"), features(frames)
    assert_near(encoder.encode(mel)[0], expected(weights, mel[0]))


@pytest.mark.parametrize("frames", [50, 51, 300, 400])
def test_sound_attends_to_the_silence_after_it(encoder: OpenVinoEncoder, folder: Path, frames: int) -> None:
    weights, quiet = Weights(read_arrays(folder / "model.bin"), "encoder"), features(400)
    encoded, silence = encoder.encode_silence(quiet)
    assert np.array_equal(encoded, encoder.encode(quiet))
    mel = features(frames)
    assert_near(encoder.encode(mel, silence)[0], expected(weights, mel[0], silence))
    differs = np.abs(encoder.encode(mel, silence) - encoder.encode(mel)).max() > 0
    assert differs == (frames < 400)


def test_no_keys_and_values_wait_until_the_end(encoder: OpenVinoEncoder) -> None:
    """Those of silence are taken in each layer, so that the memory of the others serves the next layer."""
    facts = [one.get_rt_info() for one in encoder._network.get_runtime_model().get_ordered_ops()]
    order = {int(one["execOrder"].astype(str)): one["layerType"].astype(str) for one in facts}
    kinds = [order[number] for number in sorted(order)]
    ends = len(kinds) - kinds[::-1].index("MVN")  # the last normalisation
    assert "StridedSlice" in kinds
    assert "StridedSlice" not in kinds[ends:]


def test_threads_do_not_change_each_others_results(encoder: OpenVinoEncoder) -> None:
    inputs = [features(frames) for frames in (50, 150, 300, 400) * 5]
    alone = [encoder.encode(one) for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(encoder.encode, inputs))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("batches", "expected_sharing"),
    [((1, 1), (1, 1)), ((2, 1), (1, 2)), ((8, 1), (4, 2)), ((3, 1), (3, 1)), ((4, 2), (4, 2))],
)
def test_pairs_of_threads_share_an_encoding(
    batches: tuple[int, int], expected_sharing: tuple[int, int]
) -> None:
    assert sharing(*batches) == expected_sharing


@pytest.mark.parametrize("case", ["width", "cpu", "library", "file", "arrays"])
def test_where_it_does_not_suit_ctranslate2s_own_is_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    caplog.set_level(logging.INFO)
    if case == "width":
        monkeypatch.setattr(openvino_encoder, "MEASURED_WIDTHS", (WIDTH + 1,))
    elif case == "cpu":
        monkeypatch.setattr(openvino_encoder, "computes_in_bfloat16", lambda: False)
    elif case == "library":
        monkeypatch.undo()
        monkeypatch.setitem(sys.modules, "openvino", None)
    elif case == "file":
        (folder / "model.bin").unlink()
    else:
        (folder / "model.bin").write_bytes(b"\6\0\0\0nothing")
    assert load_encoder(folder, OPTIONS) is None
    told = "takes longer" in caplog.text
    assert told == (case not in ("width", "cpu"))
    assert str(folder) not in caplog.text
