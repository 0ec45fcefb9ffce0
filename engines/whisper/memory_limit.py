"""Limits batches to the memory of the GPU: a batch that does not fit is divided into halves.

Law: how many rows go into one round; what a round does is not known here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from engines.errors import is_out_of_memory
from engines.whisper.rows import Row

log = logging.getLogger(__name__)
MOST_ROWS_EVER = 1_000_000
ROUNDS_UNTIL_GROWTH = 100
"""Rounds after which a larger batch is tried again: other programs may have given memory back."""


class RowLimit:
    """The most rows of one round. Several threads may use it: a lost update costs one more halving."""

    def __init__(self) -> None:
        self.rows = MOST_ROWS_EVER
        self._rounds = 0

    def run(self, rows: list[Row], step: Callable[[list[Row]], None]) -> None:
        """Calls `step` for all rows, in parts that fit into memory. Raises if memory does not suffice for a
        single row.
        """
        self._grow()
        waiting = list(rows)
        while waiting:
            part, waiting = waiting[: self.rows], waiting[self.rows :]
            before = [row.copy() for row in part]
            try:
                step(part)
            except Exception as failure:
                if len(part) == 1 or not is_out_of_memory(failure):
                    raise
                for row, state in zip(part, before, strict=True):
                    row.restore(state)
                self._shrink(len(part))
                waiting = part + waiting

    def _shrink(self, rows: int) -> None:
        self.rows = min(self.rows, rows // 2)
        self._rounds = 0
        log.warning("memory does not suffice for %d windows at once; batches are now of %d", rows, self.rows)

    def _grow(self) -> None:
        self._rounds += 1
        if self.rows < MOST_ROWS_EVER and self._rounds > ROUNDS_UNTIL_GROWTH:
            self.rows, self._rounds = self.rows * 2, 0
