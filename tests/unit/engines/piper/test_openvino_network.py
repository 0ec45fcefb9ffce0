"""Pieces of a sound, and when OpenVINO makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

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
