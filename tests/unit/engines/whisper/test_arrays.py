"""Rows of CTranslate2's arrays, in each number format that a GPU computes in."""

from __future__ import annotations

import ctranslate2
import numpy as np
import pytest

from engines.whisper.arrays import join_rows, numbers, take_rows

FORMATS = (ctranslate2.DataType.float32, ctranslate2.DataType.float16, ctranslate2.DataType.bfloat16)
ROWS = np.arange(24, dtype=np.float32).reshape(4, 2, 3)


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_are_taken_and_joined(kind: ctranslate2.DataType) -> None:
    array = ctranslate2.StorageView.from_array(ROWS).to(kind)
    assert np.array_equal(numbers(take_rows(array, [3, 1], 4)), ROWS[[3, 1]])
    assert np.array_equal(numbers(join_rows([array, array])), np.concatenate([ROWS, ROWS]))
    assert take_rows(array, [0, 1, 2, 3], 4) is array
