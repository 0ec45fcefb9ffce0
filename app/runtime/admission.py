"""Who may begin: a bounded number of requests, of seconds of audio, and of memory; refusal at once.

Law: a permit is an argument of the work it allows, and closing it gives everything back exactly once.
"""

from __future__ import annotations

import itertools
import math
import time
from types import TracebackType
from typing import Self

from app.errors import ApiError, Overloaded, ShuttingDown
from app.runtime.cancel import Cancel
from app.telemetry import current_request

LONGEST_RETRY = 60
"""Seconds; both official SDKs wait that long at most."""
MEMORY = 60.0
"""Seconds after which what the house has done counts half for its pace."""


class Permit:
    """A request's place in the house, its identity in queues, and its cancel token."""

    def __init__(self, admission: Admission, number: int, seconds: float, request: str | None = None) -> None:
        self._admission = admission
        self.number = number
        """Of the request, in the order of arrival; queues know it by this."""
        self.request = request
        """The request's id in the log; None outside of HTTP."""
        self.cancel = Cancel(seconds)
        self.queued = 0.0
        """Seconds of audio still to be worked on."""
        self.held = 0.0
        """Seconds of decoded audio that it may hold in memory."""
        self.since = time.monotonic()
        self._open = True

    def claim(self, queued: float, held: float) -> None:
        """The request's audio is known now: its length, and how much of it is decoded at once at most.

        Raises `Overloaded` where the house has more than it can do already.
        """
        self._admission.claim(self, queued, held)

    def worked(self, seconds: float) -> None:
        """So many more seconds of its audio are done."""
        self._admission.worked(self, seconds)

    def close(self) -> None:
        """Gives the place back and tells every thread that nobody waits any more."""
        self.cancel.set()
        if self._open:
            self._open = False
            self._admission.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Admission:
    """Counts the requests in work, and what they still have to do. Used from the event loop only."""

    def __init__(
        self, limit: int, seconds: float, *, queued: float = math.inf, held: float = math.inf
    ) -> None:
        """`limit`: requests at once. `seconds`: the deadline of each.

        `queued`, `held`: seconds of audio that all of them may still have to be worked on, and may hold
        decoded in memory.
        """
        self.count = 0
        self.queued = 0.0
        self.held = 0.0
        self._limit = limit
        self._seconds = seconds
        self._most_queued = queued
        self._most_held = held
        self._numbers = itertools.count(1)
        self.closing = False
        self.pace = Pace()
        self._request: float | None = None
        """Seconds that a request takes, the last ones counting most."""

    def admit(self) -> Permit:
        """Raises `Overloaded` or `ShuttingDown`."""
        if self.closing:
            raise ShuttingDown
        if self.count >= self._limit:
            raise self._overloaded((self._request or 0.0) / self._limit)
        self.count += 1
        self.pace.resume()
        return Permit(self, next(self._numbers), self._seconds, current_request())

    def claim(self, permit: Permit, queued: float, held: float) -> None:
        """Raises `Overloaded`. A request that is alone is never too much: its own limits bound it."""
        much = max(self.queued + queued - self._most_queued, 0.0)
        full = self.held + held > self._most_held
        if (much and self.queued) or (full and self.held):
            raise self._overloaded(self.pace.time_for(much or held))
        self.queued, permit.queued = self.queued + queued, permit.queued + queued
        self.held, permit.held = self.held + held, permit.held + held

    def worked(self, permit: Permit, seconds: float) -> None:
        """Audio is done, also audio that nobody had announced."""
        known = min(seconds, permit.queued)
        permit.queued -= known
        self.queued -= known
        self.pace.add(seconds)

    def leave(self, permit: Permit) -> None:
        """A request has ended; what it claimed and did not use is free."""
        self.count -= 1
        self.queued, self.held = self.queued - permit.queued, self.held - permit.held
        permit.queued = permit.held = 0.0
        took = time.monotonic() - permit.since
        self._request = took if self._request is None else 0.8 * self._request + 0.2 * took
        if not self.count:
            self.queued = self.held = 0.0  # no rounding error outlives the requests
            self.pace.pause()

    def _overloaded(self, seconds: float) -> ApiError:
        """Told to come again when a place is likely to be free: in so many seconds."""
        return Overloaded(max(1, min(LONGEST_RETRY, math.ceil(seconds))))


class Pace:
    """How fast audio has been worked on lately."""

    def __init__(self) -> None:
        self._audio = 0.0
        self._time = 0.0
        self._since: float | None = None

    def resume(self) -> None:
        """Work begins, if it does not go on already."""
        if self._since is None:
            self._since = time.monotonic()

    def add(self, seconds: float) -> None:
        """So many seconds of audio are done."""
        self._tick()
        self._audio += seconds

    def pause(self) -> None:
        """Nobody is here any more: idle time is not counted."""
        self._tick()
        self._since = None

    def time_for(self, seconds: float) -> float:
        """Seconds that so much audio is likely to take; 0 as long as nothing is known."""
        return seconds * self._time / self._audio if self._audio else 0.0

    def _tick(self) -> None:
        if self._since is None:
            return
        now = time.monotonic()
        passed, self._since = now - self._since, now
        kept = 0.5 ** (passed / MEMORY)
        self._audio, self._time = self._audio * kept, self._time * kept + passed
