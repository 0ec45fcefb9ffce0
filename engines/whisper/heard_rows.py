"""What Whisper's decoder attends to in the encodings of some rows. Law: holds arrays, and copies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engines.whisper.timestamp_rules import Floats

Halves: TypeAlias = NDArray[np.uint16]
"""Numbers in bfloat16, which NumPy lacks."""


@dataclass(frozen=True, slots=True)
class HeardRows:
    """The keys and values of rows, which may have different numbers of positions."""

    keys: Halves | Floats
    """(2 * layers, rows, heads, positions, width of a head); in float32 only to compare results with those
    of others.
    """
    added: Floats
    """`IMPOSSIBLE` where a row has no position, else 0: (rows, 1, 1, positions)."""

    def keys_of_head(self, layer: int, head: int) -> Floats:
        """The keys of one head of a layer, of the first row: (positions, width of a head)."""
        keys = self.keys[2 * layer, 0, head, : self._end(0)]
        if keys.dtype == np.uint16:
            return (keys.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(keys, np.float32)

    def alone(self, row: int) -> HeardRows:
        """One row, with no more positions than it has; a copy where it has fewer than the others."""
        end = self._end(row)
        keys, added = self.keys[:, row : row + 1, :, :end], self.added[row : row + 1, ..., :end]
        if end < self.keys.shape[3]:
            return HeardRows(keys.copy(), added.copy())
        return HeardRows(keys, added)

    def _end(self, row: int) -> int:
        return int((self.added[row] == 0).sum())
