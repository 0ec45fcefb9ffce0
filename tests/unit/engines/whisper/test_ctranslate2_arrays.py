"""Rows of CTranslate2's arrays, in each number format that a GPU computes in."""

from __future__ import annotations

import ctranslate2
import numpy as np
import pytest

from engines.whisper.ctranslate2_arrays import end_of, join_rows, numbers, take_rows
from engines.whisper.heard_rows import HeardRows

FORMATS = (ctranslate2.DataType.float32, ctranslate2.DataType.float16, ctranslate2.DataType.bfloat16)
ROWS = np.arange(24, dtype=np.float32).reshape(4, 2, 3)


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_are_taken(kind: ctranslate2.DataType) -> None:
    array = ctranslate2.StorageView.from_array(ROWS).to(kind)
    assert np.array_equal(numbers(take_rows(array, [3, 1], 4)), ROWS[[3, 1]])
    assert take_rows(array, [0, 1, 2, 3], 4) is array


def test_rows_are_taken_of_what_openvinos_decoder_heard() -> None:
    heard = HeardRows(np.zeros((2, 4, 1, 2, 3), np.float32), np.zeros((4, 1, 1, 2), np.float32))
    assert len(take_rows(heard, [3, 1], 4)) == 2
    assert take_rows(heard, [0, 1, 2, 3], 4) is heard


@pytest.mark.parametrize("kind", FORMATS)
def test_shorter_rows_are_filled_up_with_silence_at_the_same_positions(kind: ctranslate2.DataType) -> None:
    rows = [ctranslate2.StorageView.from_array(ROWS[:1, :n]).to(kind) for n in (1, 2)]
    silence = np.arange(-9, 0, dtype=np.float32).reshape(1, 3, 3)
    expected = [[ROWS[0, 0], silence[0, 1], silence[0, 2]], [*ROWS[0], silence[0, 2]]]
    assert np.array_equal(numbers(join_rows(rows, [3, 3], silence)), np.asarray(expected))


def test_rows_of_one_length_need_no_silence() -> None:
    rows = [ctranslate2.StorageView.from_array(ROWS[n : n + 1]) for n in range(4)]
    assert np.array_equal(numbers(join_rows(rows, [2] * 4)), ROWS)


def test_shorter_rows_end_in_zeros() -> None:
    rows = [ctranslate2.StorageView.from_array(ROWS[:1, :n]) for n in (1, 2)]
    silence = np.full((1, 4, ROWS.shape[2]), 9, np.float32)
    joined = numbers(join_rows(rows, [3, 4], silence))
    assert [end_of(row) for row in joined] == [3, 4]
    assert (joined[0, 1:3] == 9).all()
    assert (joined[0, 3:] == 0).all()
    assert end_of(np.zeros((3, 2), np.float32)) == 0
