"""Who may begin: a bounded number of requests, refusal at once.

Law: a permit is an argument of the work it allows, and closing it gives the place back exactly once.
"""

from __future__ import annotations

import itertools
from types import TracebackType
from typing import Self

from app.errors import Overloaded, ShuttingDown
from app.runtime.cancel import Cancel


class Permit:
    """A request's place in the house, its identity in queues, and its cancel token."""

    def __init__(self, admission: Admission, number: int, seconds: float) -> None:
        self._admission = admission
        self.number = number
        self.cancel = Cancel(seconds)
        self._open = True

    def close(self) -> None:
        """Gives the place back and tells every thread that nobody waits any more."""
        self.cancel.set()
        if self._open:
            self._open = False
            self._admission.count -= 1

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

    def admit(self) -> Permit:
        """Raises `Overloaded` or `ShuttingDown`."""
        if self.closing:
            raise ShuttingDown
        if self.count >= self._limit:
            raise Overloaded
        self.count += 1
        return Permit(self, next(self._numbers), self._seconds)
