"""Matrices of a model file in float32 and in int8."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.whisper import file_matrix
from engines.whisper.file_matrix import FileMatrix

Floats = NDArray[np.float32]


@pytest.fixture(autouse=True)
def few_values_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_matrix, "VALUES_AT_ONCE", 20)


def every_half() -> NDArray[np.float16]:
    """All finite numbers that float16 has."""
    every = np.arange(2**16, dtype=np.uint32).astype(np.uint16).view(np.float16)
    return every[np.isfinite(every)].reshape(-1, 8)


def some(rows: int = 11, columns: int = 6) -> Floats:
    return np.random.default_rng(rows).normal(0, 0.1, (rows, columns)).astype(np.float32)


def test_halves_become_the_same_numbers() -> None:
    halves = every_half()
    found = FileMatrix(halves).whole()
    assert found.tobytes() == halves.astype(np.float32).tobytes()  # so that -0 is not 0


def test_rows_and_factors() -> None:
    values = some()
    factors = np.arange(1, 7, dtype=np.float32)
    matrix = FileMatrix(values).times(0.5).columns_times(factors)
    assert np.array_equal(matrix.whole(), values * np.float32(0.5) * factors)
    assert np.array_equal(matrix.rows(slice(3, 9)).whole(), matrix.whole()[3:9])
    assert matrix.rows(slice(3, None)).shape == (8, 6)


def test_int8_is_divided_row_by_row() -> None:
    values = np.array([[127, -64], [3, 0], [1, 1]], np.int8)
    matrix = FileMatrix(values, np.array([127, 2, 4], np.float32))
    assert matrix.rows(slice(1, 3)).whole().tolist() == [[1.5, 0], [0.25, 0.25]]


def test_the_largest_sizes_of_columns() -> None:
    values = some()
    assert np.array_equal(FileMatrix(values).largest_of_columns(), np.abs(values).max(axis=0))


def test_rows_are_rounded_to_int8_with_a_scale_each() -> None:
    values = some().astype(np.float16)
    values[4] = 0
    whole = np.empty(values.shape, np.int8)
    scales = FileMatrix(values).in_int8(whole)
    sizes = np.abs(whole.astype(int)).max(axis=1)
    assert sizes.tolist() == [127] * 4 + [0] + [127] * 6
    assert (np.abs(whole * scales - values) <= 0.501 * scales).all()


def test_the_file_is_not_written_to() -> None:
    values = some()
    values.flags.writeable = False
    before = values.copy()
    FileMatrix(values).columns_times(np.full(6, 2, np.float32)).in_int8(np.empty(values.shape, np.int8))
    assert np.array_equal(values, before)
