"""Who may begin: a bounded number of requests, refusal at once.

Law: a permit is an argument of the work it allows, and closing it gives the place back exactly once.
"""

from __future__ import annotations

import itertools
import math
import time
from types import TracebackType
from typing import Self

from app.errors import Overloaded, ShuttingDown
from app.runtime.cancel import Cancel

LONGEST_RETRY = 60
"""Seconds; both official SDKs wait that long at most."""


class Permit:
    """A request's place in the house, its identity in queues, and its cancel token."""

    def __init__(self, admission: Admission, number: int, seconds: float) -> None:
        self._admission = admission
        self.number = number
        self.cancel = Cancel(seconds)
        self._since = time.monotonic()
        self._open = True

    def close(self) -> None:
        """Gives the place back and tells every thread that nobody waits any more."""
        self.cancel.set()
        if self._open:
            self._open = False
            self._admission.leave(time.monotonic() - self._since)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Admission:
    """Counts the requests in work. Used from the event loop only."""

    def __init__(self, limit: int, seconds: float) -> None:
        """`limit`: requests at once. `seconds`: the deadline of each."""
        self.count = 0
        self._limit = limit
        self._seconds = seconds
        self._numbers = itertools.count(1)
        self.closing = False
        self._pace: float | None = None
        """Seconds that a request takes, the last ones counting most."""

    def admit(self) -> Permit:
        """Raises `Overloaded` or `ShuttingDown`."""
        if self.closing:
            raise ShuttingDown
        if self.count >= self._limit:
            raise Overloaded(self._retry_after())
        self.count += 1
        return Permit(self, next(self._numbers), self._seconds)

    def leave(self, seconds: float) -> None:
        """A request has ended after `seconds`."""
        self.count -= 1
        self._pace = seconds if self._pace is None else 0.8 * self._pace + 0.2 * seconds

    def _retry_after(self) -> int:
        """Seconds until a place is likely to be free, by how long requests have taken lately."""
        return max(1, min(LONGEST_RETRY, math.ceil((self._pace or 0.0) / self._limit)))
