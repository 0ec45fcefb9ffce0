"""How long calls to an engine take, and how long is too long.

Law: arithmetic; no clock is asked.
"""

from __future__ import annotations

from engines.work import Assemble, Work

USUAL_TIMES = 20
"""A call that takes so many times the longest one so far counts as stuck."""
FIRST_TIMES = 10
"""The same for the first call of its kind, in units of `stuck_seconds`."""
ASSEMBLE_SECONDS = 3600.0
"""Bound of the one work whose time depends on the whole audio."""


class CallTimes:
    """How long calls take, and how long is too long."""

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
        """A call was answered."""
        each = seconds / len(work.rows)
        self._longest[type(work)] = max(each, self._longest.get(type(work), 0.0))
