"""Whether this process ran out of memory lately, so that readiness can tell.

Law: remembers a time; asks nothing of the system. `note` is called, from any thread, where such a failure is
caught.
"""

from __future__ import annotations

import time

LASTS_SECONDS = 30.0
"""Seconds after the last failure in which readiness reports it: long enough for a load balancer to notice,
short enough to recover by itself."""


class MemoryShortage:
    """Remembers when an allocation of memory failed last."""

    def __init__(self) -> None:
        self._last: float | None = None

    def note(self) -> None:
        """Notes that an allocation of memory has just failed."""
        self._last = time.monotonic()

    @property
    def problem(self) -> str | None:
        """Why the server should get no requests for a while; None if memory did not run out lately."""
        if self._last is None or time.monotonic() - self._last > LASTS_SECONDS:
            return None
        return f"ran out of memory within the last {LASTS_SECONDS:g} s"
