"""What the running request takes of its key's limits.

Law: a context variable carries it, as the id of the request is carried, so that a service says how much audio
it works on and need not know whose key that is. Outside of requests nothing is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

from app.logs import tally

Use = Literal["heard", "spoken"]
"""Whether seconds of audio were transcribed or made."""


class Spending(Protocol):
    """The account that a request is counted under."""

    def claim(self, use: Use, seconds: float) -> None:
        """Counts audio that is about to be worked on.

        Raises `KeyRateLimited` or `QuotaUsedUp`, and counts nothing, if a limit of the key does not allow it.
        """

    def extend(self, use: Use, seconds: float) -> None:
        """Counts audio that goes on beyond what was claimed; it counts also where `QuotaUsedUp` is raised."""

    def add(self, use: Use, seconds: float) -> None:
        """Counts audio that turned out longer, or with a negative number shorter, than was claimed."""


_current: ContextVar[Spending | None] = ContextVar("spending", default=None)


@contextmanager
def spending_on(account: Spending) -> Iterator[None]:
    """What runs inside, and the tasks that it starts, is counted under this account."""
    token = _current.set(account)
    try:
        yield
    finally:
        _current.reset(token)


class Charge:
    """The seconds of one audio, counted once. Used on the event loop only."""

    def __init__(self, use: Use, expected: float) -> None:
        """Claims the seconds that are expected; 0 where that is unknown. Raises `ApiError`."""
        self._use = use
        self._account = _current.get()
        self._charged = expected
        self._told = 0.0
        if self._account:
            self._account.claim(use, expected)

    def reach(self, seconds: float) -> None:
        """The audio has so many seconds already. Raises `QuotaUsedUp` if an upload is longer than its file
        claimed, and longer than the quota allows.
        """
        if self._account and seconds > self._charged and self._use == "heard":
            more, self._charged = seconds - self._charged, seconds
            self._account.extend(self._use, more)
        elif seconds > self._charged:
            self._correct(seconds)

    def settle(self, seconds: float) -> None:
        """The audio has ended, or its request has: so many seconds were worked on."""
        self._correct(seconds)
        tally(audio_seconds=seconds - self._told)
        self._told = seconds

    def _correct(self, seconds: float) -> None:
        if self._account and seconds != self._charged:
            self._account.add(self._use, seconds - self._charged)
        self._charged = seconds
