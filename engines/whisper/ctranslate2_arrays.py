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
    encoded: Sequence[StorageView], positions: int, silence: NDArray[Any] | None = None
) -> StorageView:
    """Joins arrays of one row each to one array with that number of positions. They must be on the CPU.

    `silence`: (1, positions, width), which fills up shorter arrays.
    """
    import ctranslate2

    parts = [numbers(one) for one in encoded]
    joined = np.empty((len(parts), positions, parts[0].shape[2]), parts[0].dtype)
    for row, part in zip(joined, parts, strict=True):
        known = part.shape[1]
        row[:known] = part[0]
        if silence is not None:
            row[known:] = silence[0, known:positions]
    return ctranslate2.StorageView.from_array(joined)
