"""Counts the audio of the running request against the limits of its key.

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
"""Whether seconds of audio were transcribed ("heard") or synthesized ("spoken")."""


class Spending(Protocol):
    """The account that a request is counted under."""

    def claim(self, use: Use, seconds: float) -> None:
        """Counts audio that is about to be worked on.

        Raises `KeyRateLimited` or `QuotaUsedUp`, and counts nothing, if a limit of the key does not allow it.
        """

    def extend(self, use: Use, seconds: float) -> None:
        """Counts audio beyond what was claimed. It is counted even if this raises `QuotaUsedUp`."""

    def add(self, use: Use, seconds: float) -> None:
        """Counts the difference to what was claimed; a negative number gives seconds back."""


_current: ContextVar[Spending | None] = ContextVar("spending", default=None)


@contextmanager
def spending_on(account: Spending) -> Iterator[None]:
    """Within the `with` block, and in tasks started there, audio is counted under this account."""
    token = _current.set(account)
    try:
        yield
    finally:
        _current.reset(token)


class Charge:
    """The seconds of one recording, counted once. Used on the event loop only."""

    def __init__(self, use: Use, expected: float) -> None:
        """Claims the expected seconds; `expected` is 0 if they are unknown. Raises `ApiError`."""
        self._use = use
        self._account = _current.get()
        self._charged = expected
        self._told = 0.0
        if self._account:
            self._account.claim(use, expected)

    def reach(self, seconds: float) -> None:
        """Notes that so many seconds were reached. Raises `QuotaUsedUp` if the recording is longer than its
        file claimed and exceeds the quota.
        """
        if self._account and seconds > self._charged and self._use == "heard":
            more, self._charged = seconds - self._charged, seconds
            self._account.extend(self._use, more)
        elif seconds > self._charged:
            self._correct(seconds)

    def settle(self, seconds: float) -> None:
        """Notes the final number of seconds, when the recording or its request has ended."""
        self._correct(seconds)
        tally(audio_seconds=seconds - self._told)
        self._told = seconds

    def _correct(self, seconds: float) -> None:
        if self._account and seconds != self._charged:
            self._account.add(self._use, seconds - self._charged)
        self._charged = seconds
