"""The times of an engine's calls, and the limit after which a call counts as stuck. Law: arithmetic; reads no
clock.
"""

from __future__ import annotations

from engines.work import Assemble, Work

USUAL_TIMES = 20
"""A call that takes this many times as long as the longest one so far counts as stuck."""
FIRST_TIMES = 10
"""The same for the first call of its kind, in units of `stuck_seconds`."""
ASSEMBLE_SECONDS = 3600.0
"""Limit in seconds for the one kind of work whose time depends on the whole audio."""


class CallTimes:
    """The times of one engine's calls."""

    def __init__(self, least: float) -> None:
        """`least`: seconds that every call may take."""
        self._least = least
        self._longest: dict[type, float] = {}
        """Seconds for each row of the slowest call so far, by kind of work."""

    def limit(self, work: Work[object, object]) -> float:
        """Seconds after which a call counts as stuck."""
        if isinstance(work, Assemble):
            return ASSEMBLE_SECONDS
        usual = self._longest.get(type(work))
        if usual is None:
            return FIRST_TIMES * self._least
        return max(self._least, USUAL_TIMES * usual * len(work.rows))

    def took(self, work: Work[object, object], seconds: float) -> None:
        """Counts a call that was answered."""
        each = seconds / len(work.rows)
        self._longest[type(work)] = max(each, self._longest.get(type(work), 0.0))
