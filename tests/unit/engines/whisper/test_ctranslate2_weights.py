"""Reading the arrays of a CTranslate2 model file."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.whisper.ctranslate2_weights import UnknownLayout, Weights, read_arrays
from tests.support.ctranslate2_file import model_bytes

ARRAYS: dict[str, NDArray[Any]] = {
    "encoder/num_heads": np.array(8, np.int16),
    "encoder/layer_norm/beta": np.array([0.5, -2], np.float16),
    "encoder/layer_0/ffn/linear_0/weight": np.array([[127, -64], [3, 0]], np.int8),
    "encoder/layer_0/ffn/linear_0/weight_scale": np.array([127, 2], np.float32),
    "encoder/layer_1/ffn/linear_0/weight": np.array([[1, 2]], np.float32),
    "decoder/layer_2/ffn/linear_0/bias": np.array([7], np.int32),
}

HALVES: dict[str, NDArray[Any]] = {"encoder/conv1/bias": np.ones(4, np.float16)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.bin"


def test_arrays_come_back_with_their_names_shapes_and_types(file: Path) -> None:
    file.write_bytes(model_bytes(ARRAYS))
    arrays = read_arrays(file)
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)


def test_weights_are_float32_whatever_the_file_has(file: Path) -> None:
    file.write_bytes(model_bytes(ARRAYS))
    weights = Weights(read_arrays(file), "encoder")
    assert weights.number("num_heads") == 8
    assert weights.layers == 2  # not `layer_norm`, and not what the decoder has
    assert weights["layer_norm/beta"].dtype == np.float32
    assert weights["layer_0/ffn/linear_0/weight"].tolist() == [[1, pytest.approx(-64 / 127)], [1.5, 0]]
    with pytest.raises(UnknownLayout, match="no 'encoder/conv1/bias'"):
        weights["conv1/bias"]


@pytest.mark.skipif(sys.platform != "linux", reason="measures its memory by /proc, which only Linux has")
def test_pages_of_the_file_are_given_back_and_read_again(file: Path) -> None:
    table = np.arange(1_000_000, dtype=np.float32).reshape(1000, 1000)
    file.write_bytes(model_bytes({"decoder/embeddings/weight": table}))
    weights = Weights(read_arrays(file), "decoder")
    assert np.array_equal(weights["embeddings/weight"], table)
    before = mapped(file)
    weights.evict()
    assert before - mapped(file) > 3500
    assert np.array_equal(weights["embeddings/weight"], table)


@pytest.mark.skipif(sys.platform != "linux", reason="measures its memory by /proc, which only Linux has")
def test_rows_are_read_without_the_pages_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    table = np.arange(1000 * 1000, dtype=np.float32).reshape(1000, 1000)
    file.write_bytes(model_bytes({"decoder/embeddings/weight": table}))
    weights = Weights(read_arrays(file), "decoder")
    weights.evict()
    before = mapped(file)
    every = np.arange(1000).reshape(10, 100)
    assert np.array_equal(weights.rows("embeddings/weight", every), table.reshape(10, 100, 1000))
    assert mapped(file) == before


def mapped(file: Path) -> int:
    """Kilobytes of the file in the memory of this process."""
    regions = Path("/proc/self/smaps").read_text().split(str(file))[1:]
    return sum(int(region.split("Rss:")[1].split()[0]) for region in regions)


@given(data=st.data())
def test_a_file_that_is_cut_is_refused_and_a_changed_one_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = model_bytes(ARRAYS)
    file = tmp_path_factory.mktemp("weights") / "model.bin"
    at = data.draw(st.integers(1, len(whole) - 1))
    file.write_bytes(whole[:at])
    with pytest.raises(UnknownLayout):
        read_arrays(file)
    changed = bytearray(whole)
    changed[at] = data.draw(st.integers(0, 255))
    file.write_bytes(changed)
    with suppress(UnknownLayout):
        read_arrays(file)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (model_bytes(ARRAYS, version=7), "version is 7"),
        (b"", "empty"),
        (model_bytes({})[:-4], "ends too early"),
        (model_bytes({})[:-4] + struct.pack("<I", 10**9), "ends too early"),
        (model_bytes(HALVES).replace(struct.pack("<BI", 4, 8), struct.pack("<BI", 4, 7)), "within a number"),
    ],
)
def test_other_files(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UnknownLayout, match=reason):
        read_arrays(file)


def test_other_names_of_arrays_are_read_over(file: Path) -> None:
    names = b"".join(struct.pack("<H", len(name)) + name for name in (b"one\0", b"other\0"))
    file.write_bytes(model_bytes(ARRAYS)[:-4] + struct.pack("<I", 1) + names)
    assert list(read_arrays(file)) == list(ARRAYS)


def test_matrices_are_read_when_they_are_used(file: Path) -> None:
    file.write_bytes(model_bytes(ARRAYS))
    weights = Weights(read_arrays(file), "encoder")
    for name in ("layer_0/ffn/linear_0/weight", "layer_1/ffn/linear_0/weight"):
        assert np.array_equal(weights.matrix(name).whole(), weights[name])
    with pytest.raises(UnknownLayout, match="has 1 dimensions"):
        weights.matrix("layer_norm/beta")


def test_int16_weights_with_a_scale_are_refused(file: Path) -> None:
    name = "encoder/conv1/weight"
    file.write_bytes(model_bytes({name: np.ones((2, 2), np.int16), f"{name}_scale": np.array(9, np.float32)}))
    weights = Weights(read_arrays(file), "encoder")
    with pytest.raises(UnknownLayout, match="int16 with a scale"):
        weights["conv1/weight"]
