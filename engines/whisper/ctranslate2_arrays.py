"""Rows of CTranslate2's arrays. Law: copies memory and does nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ctranslate2 import StorageView


def take_rows(encoded: StorageView, indices: Sequence[int], rows: int) -> StorageView:
    """The rows at `indices` of an array of `rows` rows."""
    import ctranslate2

    if list(indices) == list(range(rows)):
        return encoded
    some = np.ascontiguousarray(numbers(encoded)[list(indices)])
    return ctranslate2.StorageView.from_array(some)


def as_rows(array: NDArray[Any]) -> StorageView:
    """The array for CTranslate2, which uses its memory."""
    import ctranslate2

    return ctranslate2.StorageView.from_array(array)


def numbers(array: StorageView) -> NDArray[Any]:
    """The array for NumPy, which has no bfloat16."""
    import ctranslate2

    on_cpu = array if array.device == "cpu" else array.to_device(ctranslate2.Device.cpu)
    if on_cpu.dtype == ctranslate2.DataType.bfloat16:
        on_cpu = on_cpu.to(ctranslate2.DataType.float32)
    return np.asarray(on_cpu)


def join_rows(
    encoded: Sequence[StorageView], positions: Sequence[int], silence: NDArray[Any] | None = None
) -> StorageView:
    """Joins arrays of one row each to one array. They must be on the CPU.

    `positions`: of each row in it; rows with fewer than others end in zeros (`end_of`). `silence`:
    (1, positions, width), which fills up arrays with fewer.
    """
    import ctranslate2

    parts = [numbers(one) for one in encoded]
    joined = np.zeros((len(parts), max(positions), parts[0].shape[2]), parts[0].dtype)
    for row, part, end in zip(joined, parts, positions, strict=True):
        known = part.shape[1]
        row[:known] = part[0]
        if silence is not None:
            row[known:end] = silence[0, known:end]
    return ctranslate2.StorageView.from_array(joined)


def end_of(row: NDArray[Any]) -> int:
    """Positions of a row (positions, width) before the zeros at its end, which no encoding has."""
    there = np.flatnonzero(row.any(axis=1))
    return int(there[-1]) + 1 if len(there) else 0
