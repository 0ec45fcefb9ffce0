"""What Whisper's decoder attends to in encodings of some rows. Law: holds arrays, and moves their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engines.whisper.timestamp_rules import Floats

Halves: TypeAlias = NDArray[np.uint16]
"""Numbers in bfloat16, which NumPy lacks."""


class HeardRows:
    """The keys and values of rows, which may have different numbers of positions.

    A search moves rows to other places, so that those that go on stand together; none is lost. `take` gives
    some rows of the same arrays, so only one such part may be in use at a time.
    """

    def __init__(self, keys: Halves | Floats, added: Floats) -> None:
        """`keys`: (2 * layers, rows, heads, positions, width of a head); in float32 only to compare results
        with those of others. `added`: `IMPOSSIBLE` where a row has no position, else 0: (rows, 1, 1,
        positions).
        """
        self.keys = keys
        self.added = added
        self._rows = tuple(range(len(added)))
        self._at = list(self._rows)
        """For each place in the arrays, the number of the row that is there now."""

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: Sequence[int]) -> HeardRows:
        """Some of the rows."""
        some = HeardRows(self.keys, self.added)
        some._rows, some._at = tuple(self._rows[row] for row in rows), self._at
        return some

    def bring(self, rows: Sequence[int]) -> None:
        """Moves these rows to the first places, in this order."""
        for place, row in enumerate(rows):
            other = self._place(row)
            if other != place:
                self._at[place], self._at[other] = self._at[other], self._at[place]
                for part in (self.added, *self.keys):  # of all at once, NumPy would make a copy first
                    moved = part[place].copy()
                    part[place], part[other] = part[other], moved

    def keys_of_head(self, layer: int, head: int) -> Floats:
        """The keys of one head of a layer, of the first row: (positions, width of a head)."""
        keys = self.keys[2 * layer, self._place(0), head, : self._end(0)]
        if keys.dtype == np.uint16:
            return (keys.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(keys, np.float32)

    def alone(self, row: int) -> HeardRows:
        """One row, with no more positions than it has; a copy where it has fewer than the others."""
        place, end = self._place(row), self._end(row)
        keys, added = self.keys[:, place : place + 1, :, :end], self.added[place : place + 1, ..., :end]
        if end < self.keys.shape[3]:
            return HeardRows(keys.copy(), added.copy())
        return HeardRows(keys, added)

    def _place(self, row: int) -> int:
        return self._at.index(self._rows[row])

    def _end(self, row: int) -> int:
        return int((self.added[self._place(row)] == 0).sum())
