"""Rows of CTranslate2's arrays. Law: copies memory and does nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ctranslate2 import StorageView


def take_rows(encoded: StorageView, indices: Sequence[int], rows: int) -> StorageView:
    """The rows at `indices` of an array of `rows` rows."""
    import ctranslate2

    if list(indices) == list(range(rows)):
        return encoded
    on_cpu = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
    some = np.ascontiguousarray(np.asarray(on_cpu)[list(indices)])
    return ctranslate2.StorageView.from_array(some)


def join_rows(encoded: Sequence[StorageView]) -> StorageView:
    """Arrays of one row each as one array. They must be on the CPU."""
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.concatenate([np.asarray(one) for one in encoded]))
