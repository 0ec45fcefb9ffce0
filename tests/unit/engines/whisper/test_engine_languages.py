"""Rows whose language is unsure are not decoded from a short encoding."""

from __future__ import annotations

import ctranslate2
import numpy as np

from engines.types import LanguageGuess, Pcm, Window
from engines.whisper.ctranslate2_arrays import numbers
from engines.whisper.engine import _with_sure_languages
from engines.whisper.rows import PADDING_FRAMES, Row


def row(probability: float) -> Row:
    window = Window(Pcm(np.zeros(80_000, np.float32)))
    features = np.ones((80, 500), np.float32)
    return Row(window, features, LanguageGuess("en", probability), PADDING_FRAMES)


def encodings(count: int) -> ctranslate2.StorageView:
    values = np.repeat(np.arange(count, dtype=np.float32), 8).reshape(count, 4, 2)
    return ctranslate2.StorageView.from_array(values)


def test_sure_rows_are_decoded_and_the_others_begin_again_in_full() -> None:
    rows = [row(0.9), row(0.4), row(0.6)]
    sure, encoded = _with_sure_languages(rows, encodings(3))
    assert sure == [rows[0], rows[2]]
    assert numbers(encoded)[:, 0, 0].tolist() == [0.0, 2.0]
    assert rows[1].doubted
    assert rows[1].language is None
    assert rows[1].cost.frames == 1200
    assert rows[1].cost.reencoded == 1


def test_nothing_is_copied_where_all_are_sure() -> None:
    rows, encoded = [row(0.9), row(0.5)], encodings(2)
    assert _with_sure_languages(rows, encoded) == (rows, encoded)


def test_no_row_may_be_left() -> None:
    sure, _ = _with_sure_languages([row(0.1)], encodings(1))
    assert sure == []
