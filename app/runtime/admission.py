"""Which requests may begin: bounds on their number, on seconds of audio and on memory; refusal is immediate.

Law: a permit is an argument of the work that it allows, and closing it gives everything back exactly once.

Theory of operation: `admit` counts the request. Once its audio is opened, the request claims the seconds of
audio that have to be worked on and the seconds that it may hold decoded in memory. A claim that exceeds a
bound is refused with the time after which a retry is likely to succeed, computed from the measured
throughput. A request that is alone is never refused: its own limits bound it.
"""

from __future__ import annotations

import math
import threading
import time
from types import TracebackType
from typing import Self

from app.errors import ApiError, Overloaded, ShuttingDown
from app.logs import current_request, tally
from app.runtime.cancel import Cancel
from app.tracing import current_span

LONGEST_RETRY = 60
"""Most seconds in `Retry-After`: both official SDKs ignore a longer wait."""
HALF_LIFE = 60.0
"""Half-life of the throughput average, in seconds."""


class Permit:
    """The right of one request to use the models, with its identity in queues and its cancel token."""

    def __init__(self, admission: Admission, number: int, seconds: float, request: str | None = None) -> None:
        self._admission = admission
        self.number = number
        """Number of the request in the order of arrival, by which queues know it."""
        self.request = request
        """The request's id in the log; None outside of HTTP."""
        self.span = current_span()
        """The span to which the request's work is added; None if the request is not traced."""
        self.cancel = Cancel(seconds)
        self.queued = 0.0
        """Seconds of audio that still have to be worked on."""
        self.held = 0.0
        """Seconds of decoded audio that it may hold in memory."""
        self.since = time.monotonic()
        self._open = True
        self._queued_for: float | None = None
        self._worked_for = 0.0
        self._times = threading.Lock()

    def claim(self, queued: float, held: float) -> None:
        """Claims the seconds of audio to work on, and the most seconds that are held decoded in memory.

        Raises `Overloaded` if the server has too much to do already.
        """
        self._admission.claim(self, queued, held)

    def release(self, held: float) -> None:
        """Gives back so many of the claimed seconds of decoded audio."""
        self._admission.release(self, held)

    def worked(self, seconds: float) -> None:
        """Counts `seconds` of the request's audio as done."""
        self._admission.worked(self, seconds)

    def timed(self, waited: float, worked: float) -> None:
        """Counts one row of the request's work, which waited and took so many seconds.
        Called on any thread.
        """
        with self._times:
            self._queued_for = waited if self._queued_for is None else self._queued_for
            self._worked_for += worked

    def close(self) -> None:
        """Gives back all that the request claimed, and sets the cancel token, so that
        threads drop its work.
        """
        self.cancel.set()
        if self._open:
            self._open = False
            if self._queued_for is not None:
                tally(queued_s=self._queued_for, worked_s=self._worked_for)
            self._admission.leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Admission:
    """Counts the open requests and the seconds that they claimed. Used from the event loop only."""

    def __init__(
        self,
        limit: int,
        seconds: float,
        *,
        queued: float = math.inf,
        held: float = math.inf,
        name: str = "requests",
    ) -> None:
        """`limit`: the most requests at once. `seconds`: the longest time of one request. `name`: how metrics
        and errors call the limit.

        Of all requests together, `queued`: the most seconds of audio that wait. `held`: the most seconds of
        decoded audio in memory.
        """
        self.count = 0
        self.begun = 0
        """Requests since the start."""
        self.queued = 0.0
        self.held = 0.0
        self._limit = limit
        self._name = name
        self._seconds = seconds
        self._most_queued = queued
        self._most_held = held
        self.closing = False
        self.pace = Pace()
        self._request: float | None = None
        """Mean seconds of a request: an exponential moving average."""

    def admit(self) -> Permit:
        """A permit for one more request. Raises `Overloaded` or `ShuttingDown`."""
        if self.closing:
            raise ShuttingDown
        if self.count >= self._limit:
            raise self._overloaded((self._request or 0.0) / self._limit, self._name)
        self.count += 1
        self.begun += 1
        self.pace.resume()
        return Permit(self, self.begun, self._seconds, current_request())

    def claim(self, permit: Permit, queued: float, held: float) -> None:
        """Claims seconds of audio for a request. Raises `Overloaded` if too many are claimed already.

        A request that is alone is never refused, because its own limits bound it. A claim is refused only for
        what it would add to.
        """
        much = max(self.queued + queued - self._most_queued, 0.0) if queued and self.queued else 0.0
        full = held and self.held and self.held + held > self._most_held
        if much or full:
            raise self._overloaded(self.pace.time_for(much or held), "seconds" if much else "memory")
        self.queued, permit.queued = self.queued + queued, permit.queued + queued
        self.held, permit.held = self.held + held, permit.held + held

    def release(self, permit: Permit, held: float) -> None:
        """Gives back seconds of decoded audio, at most as many as the request claimed."""
        known = min(held, permit.held)
        permit.held -= known
        self.held -= known

    def worked(self, permit: Permit, seconds: float) -> None:
        """Counts `seconds` of audio as done, which may be more than the request claimed."""
        known = min(seconds, permit.queued)
        permit.queued -= known
        self.queued -= known
        self.pace.add(seconds)

    def leave(self, permit: Permit) -> None:
        """A request has ended: gives back what it claimed."""
        self.count -= 1
        self.queued, self.held = self.queued - permit.queued, self.held - permit.held
        permit.queued = permit.held = 0.0
        took = time.monotonic() - permit.since
        self._request = took if self._request is None else 0.8 * self._request + 0.2 * took
        if not self.count:
            self.queued = self.held = 0.0  # no request is left, so any rest is a rounding error
            self.pace.pause()

    def _overloaded(self, seconds: float, reason: str) -> ApiError:
        """The error for a refused request, with the time after which a retry is likely to succeed."""
        return Overloaded(max(1, min(LONGEST_RETRY, math.ceil(seconds))), reason)


class Pace:
    """The throughput: seconds of audio per second of work, as a decaying average."""

    def __init__(self) -> None:
        self._audio = 0.0
        self._time = 0.0
        self._since: float | None = None

    def resume(self) -> None:
        """Starts the clock, unless other work is running already."""
        if self._since is None:
            self._since = time.monotonic()

    def add(self, seconds: float) -> None:
        """Counts `seconds` of audio as done."""
        self._tick()
        self._audio += seconds

    def pause(self) -> None:
        """Stops the clock when the last request has ended, so that idle time is not counted."""
        self._tick()
        self._since = None

    def time_for(self, seconds: float) -> float:
        """Estimated seconds of work for `seconds` of audio; 0 before the first measurement."""
        return seconds * self._time / self._audio if self._audio else 0.0

    def _tick(self) -> None:
        if self._since is None:
            return
        now = time.monotonic()
        passed, self._since = now - self._since, now
        weight = 0.5 ** (passed / HALF_LIFE)
        self._audio, self._time = self._audio * weight, self._time * weight + passed
