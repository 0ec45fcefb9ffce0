"""Which windows may share a batch: those that the encoder pads to the same length."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engines.types import Pcm, Window
from engines.whisper.engine import WhisperTranscriber
from engines.whisper.row_encoder import RowEncoder
from engines.whisper.rows import COARSE_GRID_FRAMES, GRID_FRAMES, PADDING_FRAMES, Row


def window(samples: int) -> Window:
    return Window(Pcm(np.zeros(samples, np.float32)))


def transcriber(grid: int, *, mixes: bool = False) -> WhisperTranscriber:
    """A transcriber without a model, which the computation of batch keys does not need."""
    made, rows = WhisperTranscriber.__new__(WhisperTranscriber), RowEncoder.__new__(RowEncoder)
    rows._padding, rows.grid = PADDING_FRAMES, grid
    made._rows, made._mixes_lengths = rows, mixes
    return made


def size(samples: int, grid: int) -> int:
    return Row(
        window(samples), np.zeros((80, -(-samples // 160)), np.float32), None, PADDING_FRAMES, grid
    ).size


@given(
    st.integers(1_600, 480_000),
    st.integers(1_600, 480_000),
    st.sampled_from((GRID_FRAMES, COARSE_GRID_FRAMES)),
)
def test_windows_of_one_key_are_encoded_alike(a: int, b: int, grid: int) -> None:
    engine = transcriber(grid)
    same = engine.lengths.of(window(a).pcm.seconds) == engine.lengths.of(window(b).pcm.seconds)
    assert same == (size(a, grid) == size(b, grid))


def test_openvino_decodes_several_lengths_together_but_short_clips_do_not_wait_for_long_windows() -> None:
    lengths = transcriber(COARSE_GRID_FRAMES, mixes=True).lengths
    assert lengths.of(1) == lengths.of(14.9)
    assert lengths.of(15.1) == lengths.of(30) != lengths.of(14.9)
