"""What one key has used, and whether it may use more.

Law: numbers only, on the event loop only. A limit for a minute holds for each minute of the clock (UTC), the
quota for each calendar month. All servers of one database count together: what this one has counted is exact,
and what the others have counted is as old as the last `share`.
"""

from __future__ import annotations

import calendar
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from app.domain import Caller, SharedUsage, Span, UsageCounts, UsageEntry
from app.errors import KeyRateLimited, QuotaUsedUp
from app.services.steps.key_spending import Use

MINUTE_SECONDS, DAY_SECONDS = 60, 86_400
Counted = dict[tuple[Span, int], UsageCounts]
"""Counts by the kind of span and by the Unix time of its beginning."""


@dataclass(frozen=True, slots=True)
class RequestRate:
    """The requests of a key in the current minute, for the headers of its answers."""

    limit: int
    remaining: int
    reset: float
    """Seconds until the next minute."""


class KeyAccount:
    """The use of one key. Keys that replace each other by rotation share one account."""

    def __init__(self, caller: Caller) -> None:
        self.name = caller.account
        self.project = caller.project
        self.limits = caller.grant.limits
        self.running = 0
        """Requests that this server is answering."""
        self.shared = False
        """Whether the counts of other servers and of earlier runs have been read from the database."""
        self._elsewhere = 0
        self._unsaved: Counted = {}
        self._saving: Counted = {}
        self._minute = 0
        self._saved_minute = UsageCounts()
        self._carried = 0.0
        """Seconds of audio by which earlier minutes exceeded the limit; negative: seconds that were claimed
        and not used.
        """
        self._month = 0
        self._saved_month = 0.0

    @property
    def limited(self) -> bool:
        limits = self.limits
        return bool(
            limits.requests_per_minute
            or limits.audio_seconds_per_minute
            or limits.parallel
            or limits.audio_seconds_per_month
        )

    @property
    def rate(self) -> RequestRate | None:
        """The requests of the current minute; None if the key has no limit of requests."""
        limit = self.limits.requests_per_minute
        if not limit:
            return None
        self._roll()
        return RequestRate(limit, max(0, limit - self._used().requests), _left(time.time()))

    def begin(self) -> None:
        """Counts a request; `end` must follow. If it raises `KeyRateLimited`, nothing was counted."""
        self._roll()
        limits = self.limits
        if limits.parallel and self.running + self._elsewhere >= limits.parallel:
            self.refuse()
            raise KeyRateLimited("requests at the same time", limits.parallel, 1)
        if limits.requests_per_minute and self._used().requests >= limits.requests_per_minute:
            self.refuse()
            raise KeyRateLimited("requests per minute", limits.requests_per_minute, self._pause())
        self._count(UsageCounts(requests=1))
        self.running += 1

    def end(self) -> None:
        self.running -= 1

    def refuse(self) -> None:
        """Counts a refused request."""
        self._count(UsageCounts(refused=1))

    def claim(self, use: Use, seconds: float) -> None:
        """Counts `seconds` before the work is done. Raises `QuotaUsedUp` or `KeyRateLimited` if a limit does
        not allow them. The first request of a minute may be longer than the limit per minute; the following
        minutes then allow less until that is made up for.
        """
        self._roll()
        limits, used = self.limits, self._audio()
        monthly = limits.audio_seconds_per_month
        if monthly and (self._month_audio() >= monthly or self._month_audio() + seconds > monthly):
            self.refuse()
            raise QuotaUsedUp(monthly, self._month_audio())
        limit = limits.audio_seconds_per_minute
        if limit and used > 0 and (used >= limit or used + seconds > limit):
            self.refuse()
            raise KeyRateLimited("seconds of audio per minute", limit, self._pause(used + seconds - limit))
        self.add(use, seconds)

    def extend(self, use: Use, seconds: float) -> None:
        """Counts audio beyond what was claimed. Raises `QuotaUsedUp` after counting if the month's quota is
        exceeded.
        """
        self.add(use, seconds)
        monthly = self.limits.audio_seconds_per_month
        if monthly and self._month_audio() > monthly:
            self.refuse()
            raise QuotaUsedUp(monthly, self._month_audio())

    def add(self, use: Use, seconds: float) -> None:
        """Counts seconds without checking limits. A negative number gives back seconds that were claimed."""
        self._roll()
        heard = UsageCounts(heard=seconds) if use == "heard" else UsageCounts(spoken=seconds)
        if seconds >= 0:
            self._count(heard)
        else:  # the seconds were claimed in this minute or an earlier one
            self._carried -= min(-seconds, max(0.0, self._audio()))
            self._note("day", heard)

    def take(self) -> Iterator[UsageEntry]:
        """The counts to be written to the database. Call `stored` or `failed` afterwards."""
        self._saving, self._unsaved = self._unsaved, {}
        for (span, start), counts in self._saving.items():
            yield UsageEntry(account=self.name, project=self.project, span=span, start=start, counts=counts)

    @property
    def unsaved(self) -> bool:
        return bool(self._unsaved)

    def stored(self) -> None:
        """The counts of `take` are in the database. They still count here until `share` has read them from
        there.
        """
        self._roll()
        self._saved_minute += self._saving.get(("minute", self._minute), UsageCounts())
        self._saved_month += self._in_month(self._saving)
        self._saving = {}

    def failed(self) -> None:
        """The counts of `take` could not be stored. The next `take` includes them again, without minutes that
        are over.
        """
        self._roll()
        for (span, start), counts in self._saving.items():
            if span == "day" or start == self._minute:
                self._unsaved[span, start] = self._unsaved.get((span, start), UsageCounts()) + counts
        self._saving = {}

    def share(self, found: SharedUsage, minute: int, month: int) -> None:
        """Takes the counts of all servers from the database. `minute`, `month`: Unix
        times of the beginnings.
        """
        self._roll()
        self.shared = True
        self._elsewhere = found.running_elsewhere
        if minute == self._minute:
            self._saved_minute = found.minute
        if month == self._month:
            self._saved_month = found.month_audio

    def _count(self, counts: UsageCounts) -> None:
        if self.limited:
            self._note("minute", counts)
        self._note("day", counts)

    def _note(self, span: Span, counts: UsageCounts) -> None:
        length = MINUTE_SECONDS if span == "minute" else DAY_SECONDS
        key = (span, beginning(time.time(), length))
        self._unsaved[key] = self._unsaved.get(key, UsageCounts()) + counts

    def _used(self) -> UsageCounts:
        """The use in the current minute by this server and all others."""
        key: tuple[Span, int] = ("minute", self._minute)
        none = UsageCounts()
        return self._saved_minute + self._saving.get(key, none) + self._unsaved.get(key, none)

    def _audio(self) -> float:
        """Seconds of audio that count in the current minute."""
        return self._used().audio + self._carried

    def _month_audio(self) -> float:
        return self._saved_month + self._in_month(self._saving) + self._in_month(self._unsaved)

    def _in_month(self, counted: Counted) -> float:
        return sum(
            counts.audio
            for (span, start), counts in counted.items()
            if span == "day" and start >= self._month
        )

    def _pause(self, excess: float = 0.0) -> int:
        """Seconds until a request may succeed; at most a minute, because clients do not wait longer."""
        minutes = excess // (self.limits.audio_seconds_per_minute or math.inf)
        return min(MINUTE_SECONDS, max(1, math.ceil(_left(time.time()) + MINUTE_SECONDS * minutes)))

    def _roll(self) -> None:
        """Begins a new minute or month when the clock has reached it."""
        now = time.time()
        minute = beginning(now, MINUTE_SECONDS)
        if minute != self._minute:
            passed = (minute - self._minute) / MINUTE_SECONDS
            allowed = (self.limits.audio_seconds_per_minute or math.inf) * passed
            self._carried = max(0.0, self._audio() - allowed) if passed > 0 else self._carried
            self._minute, self._saved_minute = minute, UsageCounts()
        month = month_of(now)
        if month != self._month:
            self._month, self._saved_month = month, 0.0


def beginning(now: float, length: int) -> int:
    """The Unix time at which the current span of `length` seconds began."""
    return int(now) // length * length


def month_of(now: float) -> int:
    """The Unix time at which the current calendar month (UTC) began."""
    today = time.gmtime(now)
    return calendar.timegm((today.tm_year, today.tm_mon, 1, 0, 0, 0))


def _left(now: float) -> float:
    """Seconds until the next minute begins."""
    return MINUTE_SECONDS - now % MINUTE_SECONDS
