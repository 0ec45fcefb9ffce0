"""Which windows may ride together: alike in options and in length, as the encoder counts it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.runtime.recipes import batch_key
from engines.types import Pcm, TranscribeOptions, Window
from engines.whisper.rows import PADDING, Row


def window(samples: int) -> Window:
    return Window(Pcm(np.zeros(samples, np.float32)))


def size(samples: int) -> int:
    return Row(window(samples), np.zeros((80, samples // 160), np.float32), None, PADDING).size


@given(st.integers(1_600, 480_000), st.integers(1_600, 480_000))
def test_windows_of_one_batch_are_encoded_alike(a: int, b: int) -> None:
    options = TranscribeOptions()
    if batch_key(window(a), options) == batch_key(window(b), options):
        assert size(a) == size(b)


def test_other_options_are_another_batch() -> None:
    options = TranscribeOptions()
    assert batch_key(window(16_000), options) != batch_key(window(16_000), replace(options, beam_size=2))
