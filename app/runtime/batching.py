"""Which waiting rows share the next batch; `fair_share.py` says which of them comes first.

Law: pure functions over values; the queue follows their results.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from app.runtime.fair_share import FairShare, WaitingRow, by_finish_time


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchLimits:
    """How large a batch may be."""

    rows: int
    """The most rows in a batch."""
    seconds: float = float("inf")
    """The most seconds of audio, so that the next batch need not wait long; a single row always fits."""

    def shared(self, rows: int, threads: int) -> BatchLimits:
        """The limits of a batch if all rows, those that wait and those in work, are divided evenly among the
        threads.
        """
        share = math.ceil(rows / threads)
        return replace(self, rows=max(1, min(self.rows, share)))


def pick(waiting: Sequence[WaitingRow], shares: FairShare, limits: BatchLimits) -> list[int]:
    """The ids of the rows of the next batch. All have the same batch key, and they fit into the limits.

    `waiting`: in the order of arrival; rows of one request keep this order in the batch.
    """
    order = by_finish_time(waiting, shares)
    return _filled(order, limits) if order else []


def _filled(order: Sequence[WaitingRow], limits: BatchLimits) -> list[int]:
    """The first row, and all further rows with the same batch key that fit. Rows of one request keep their
    order: if one row does not fit, the later rows of its request are left out too.
    """
    key, seconds = order[0].key, 0.0
    chosen: list[int] = []
    barred: set[Hashable] = set()
    for item in order:
        if item.request in barred:
            continue
        fits = len(chosen) < limits.rows and seconds + item.seconds <= limits.seconds
        if item.key == key and (fits or not chosen):
            chosen.append(item.id)
            seconds += item.seconds
        else:
            barred.add(item.request)
    return chosen
