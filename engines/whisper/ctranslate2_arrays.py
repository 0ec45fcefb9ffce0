"""Rows of encodings, in arrays of CTranslate2 or NumPy. Law: copies memory and does nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engines.whisper.heard_rows import HeardRows

if TYPE_CHECKING:
    from ctranslate2 import StorageView

Encoded: TypeAlias = Any
"""Encodings (rows, positions, width): an array of CTranslate2 where that decodes, else of NumPy, of which
OpenVINO's decoder makes `HeardRows`. Each decoder takes its own kind, and the encoder that is loaded with it
makes that kind.
"""


def take_rows(encoded: Encoded, indices: Sequence[int], rows: int) -> Encoded:
    """The rows at `indices` of an array of `rows` rows."""
    if list(indices) == list(range(rows)):
        return encoded
    if isinstance(encoded, HeardRows):
        return encoded.take(indices)
    return as_rows(np.ascontiguousarray(numbers(encoded)[list(indices)]))


def as_rows(array: NDArray[Any]) -> StorageView:
    """The array for CTranslate2, which uses its memory."""
    import ctranslate2

    return ctranslate2.StorageView.from_array(array)


def numbers(array: Encoded) -> NDArray[Any]:
    """The array for NumPy, which has no bfloat16."""
    if isinstance(array, np.ndarray):
        return array
    import ctranslate2

    on_cpu = array if array.device == "cpu" else array.to_device(ctranslate2.Device.cpu)
    if on_cpu.dtype == ctranslate2.DataType.bfloat16:
        on_cpu = on_cpu.to(ctranslate2.DataType.float32)
    return np.asarray(on_cpu)


def join_rows(
    encoded: Sequence[Encoded], positions: Sequence[int], silence: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Joins arrays of one row each to one array. They must be on the CPU.

    `positions`: of each row in it; rows with fewer than others end in zeros (`end_of`). `silence`:
    (1, positions, width), which fills up arrays with fewer.
    """
    parts = [numbers(one) for one in encoded]
    joined = np.zeros((len(parts), max(positions), parts[0].shape[2]), parts[0].dtype)
    for row, part, end in zip(joined, parts, positions, strict=True):
        known = part.shape[1]
        row[:known] = part[0]
        if silence is not None:
            row[known:end] = silence[0, known:end]
    return joined


def end_of(row: NDArray[Any]) -> int:
    """Positions of a row (positions, width) before the zeros at its end, which no encoding has."""
    there = np.flatnonzero(row.any(axis=1))
    return int(there[-1]) + 1 if len(there) else 0
