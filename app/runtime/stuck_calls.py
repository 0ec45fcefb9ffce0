"""The times of an engine's calls and loads, and the limits after which they count as stuck. Law: arithmetic;
reads no clock.
"""

from __future__ import annotations

from statistics import median

from engines.work import Assemble, Work

USUAL_TIMES = 20
"""A call that takes this many times its usual time counts as stuck. The factor is so large because a window
with a bad result is decoded up to six times, and with music that may be every window of a batch.
"""
FIRST_TIMES = 10
"""Limit of the first call of its kind, in units of `stuck_seconds`."""
ASSEMBLE_SECONDS = 3600.0
"""Limit in seconds for the one kind of work whose time depends on the whole audio."""
FIRST_LOAD_SECONDS = 1800.0
"""Limit of an engine's first load, in seconds."""
CALLS_KEPT = 31
"""For each kind of work, the times of so many latest calls are kept."""


class CallTimes:
    """The times of one engine; they stay when it is unloaded and loaded again."""

    def __init__(self, least: float) -> None:
        """`least`: seconds that every call and every load may take."""
        self._least = least
        self._calls: dict[type, tuple[tuple[float, float], ...]] = {}
        """For each kind of work, its latest calls: (seconds per row, seconds per unit of `size`)."""
        self._load = 0.0

    @property
    def load_limit(self) -> float:
        """Seconds after which a load counts as stuck."""
        if not self._load:
            return FIRST_LOAD_SECONDS
        return min(FIRST_LOAD_SECONDS, max(self._least, USUAL_TIMES * self._load))

    def loaded(self, seconds: float) -> None:
        """Notes how long a load took."""
        self._load = max(self._load, seconds)

    def limit(self, work: Work[object, object], patience: float) -> float:
        """Seconds after which a call counts as stuck. `patience`: seconds until the last request that waits
        for it reaches its deadline.
        """
        return max(self._least, min(patience, self._usual_limit(work)))

    def took(self, work: Work[object, object], seconds: float) -> None:
        """Notes how long an answered call took."""
        before = self._calls.get(type(work), ())
        self._calls[type(work)] = (
            *before[1 - CALLS_KEPT :],
            (seconds / len(work.rows), seconds / work.size),
        )

    def _usual_limit(self, work: Work[object, object]) -> float:
        if isinstance(work, Assemble):
            return ASSEMBLE_SECONDS
        calls = self._calls.get(type(work))
        if not calls:
            return FIRST_TIMES * self._least
        by_rows = median(row for row, _ in calls) * len(work.rows)
        by_size = median(unit for _, unit in calls) * work.size
        return USUAL_TIMES * max(by_rows, by_size)
