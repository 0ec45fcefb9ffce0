"""Writes small model files as CTranslate2 does (`ModelSpec.save` in its sources)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = ("float32", "int8", "int16", "int32", "float16")


def model_bytes(arrays: Mapping[str, NDArray[Any]], version: int = 6) -> bytes:
    parts = [struct.pack("<I", version), _text("WhisperSpec"), struct.pack("<II", 3, len(arrays))]
    for name, array in arrays.items():
        parts += [_text(name), struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)]
        parts += [struct.pack("<BI", TYPES.index(array.dtype.name), array.nbytes), array.tobytes()]
    return b"".join([*parts, struct.pack("<I", 0)])


def _text(name: str) -> bytes:
    data = name.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def write_decoder(
    folder: Path, width: int = 32, heads: int = 2, layers: int = 2, tokens: int = 740, positions: int = 60
) -> None:
    """A `model.bin` with random weights of a decoder of that size."""
    made = np.random.default_rng(2)

    def near(mean: float, *shape: int, spread: float = 0.2) -> NDArray[np.float16]:
        return (mean + made.normal(0, spread, shape)).astype(np.float16)

    arrays: dict[str, NDArray[Any]] = {
        "decoder/num_heads": np.array(heads, np.int16),
        "decoder/embeddings/weight": near(0, tokens, width, spread=0.5),
        "decoder/position_encodings/encodings": near(0, positions, width),
        "decoder/layer_norm/gamma": near(1, width),
        "decoder/layer_norm/beta": near(0, width),
    }
    shapes = {
        "self_attention/linear_0": (3 * width, width),
        "self_attention/linear_1": (width, width),
        "attention/linear_0": (width, width),
        "attention/linear_1": (2 * width, width),
        "attention/linear_2": (width, width),
        "ffn/linear_0": (4 * width, width),
        "ffn/linear_1": (width, 4 * width),
    }
    for layer in (f"decoder/layer_{number}" for number in range(layers)):
        for name, shape in shapes.items():
            arrays[f"{layer}/{name}/weight"] = near(0, *shape)
            arrays[f"{layer}/{name}/bias"] = near(0, shape[0])
        for name in ("self_attention", "attention", "ffn"):
            arrays[f"{layer}/{name}/layer_norm/gamma"] = near(1, width)
            arrays[f"{layer}/{name}/layer_norm/beta"] = near(0, width)
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(model_bytes(arrays))


def write_encoder(folder: Path, width: int = 32, heads: int = 2, layers: int = 2, bands: int = 8) -> None:
    """A `model.bin` with random weights of an encoder of that size."""
    made = np.random.default_rng(1)

    def near(mean: float, *shape: int) -> NDArray[np.float16]:
        return (mean + made.normal(0, 0.2, shape)).astype(np.float16)

    arrays: dict[str, NDArray[Any]] = {
        "encoder/num_heads": np.array(heads, np.int16),
        "encoder/conv1/weight": near(0, width, bands, 3),
        "encoder/conv1/bias": near(0, width),
        "encoder/conv2/weight": near(0, width, width, 3),
        "encoder/conv2/bias": near(0, width),
        "encoder/position_encodings/encodings": near(0, 1500, width),
        "encoder/layer_norm/gamma": near(1, width),
        "encoder/layer_norm/beta": near(0, width),
    }
    for layer in (f"encoder/layer_{number}" for number in range(layers)):
        shapes = {
            "self_attention/linear_0": (3 * width, width),
            "self_attention/linear_1": (width, width),
            "ffn/linear_0": (4 * width, width),
            "ffn/linear_1": (width, 4 * width),
        }
        for name, shape in shapes.items():
            arrays[f"{layer}/{name}/weight"] = near(0, *shape)
            arrays[f"{layer}/{name}/bias"] = near(0, shape[0])
        for name in ("self_attention", "ffn"):
            arrays[f"{layer}/{name}/layer_norm/gamma"] = near(1, width)
            arrays[f"{layer}/{name}/layer_norm/beta"] = near(0, width)
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(model_bytes(arrays))
