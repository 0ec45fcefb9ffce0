"""How often the process of an engine ended, and when it may be started again.

Law: arithmetic over given times; reads no clock and starts nothing.

Theory of operation: exponential back-off. The first start after a death is immediate; each further death
doubles the pause. A process that answered a call, or that lived for a minute, begins anew: otherwise a client
whose audio crashes the engine could keep it away from everybody. `MOST_DEATHS` deaths within `WINDOW_SECONDS`
with no answer in between are a crash loop: requests are refused until the next attempt succeeds.
"""

from __future__ import annotations

from collections import deque

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
MOST_DEATHS = 5
WINDOW_SECONDS = 120.0
LONG_LIFE_SECONDS = 60.0


class CrashHistory:
    """The history of one model. Times are seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._pause = 0.0
        self._retry_at = 0.0
        self.reason = ""
        """How the process ended last."""

    def died(self, now: float, reason: str, *, lived: float, worked: bool) -> float:
        """Returns the seconds until the next start.

        `lived`: seconds since its start. `worked`: whether it answered a call.
        """
        if worked or lived >= LONG_LIFE_SECONDS:
            self._deaths.clear()
            self._pause = 0.0
        self.reason = reason
        self._deaths.append(now)
        pause = self._pause
        self._pause = min(max(FIRST_PAUSE_SECONDS, 2 * pause), LONGEST_PAUSE_SECONDS)
        self._retry_at = now + pause
        return pause

    def worked(self) -> None:
        """The process has answered a call: the crash loop has ended."""
        self._deaths.clear()
        self._pause = 0.0

    def looping(self, now: float) -> bool:
        """Whether the process is in a crash loop, so that requests should be refused."""
        full = len(self._deaths) == MOST_DEATHS
        return full and now - self._deaths[0] <= WINDOW_SECONDS + LONGEST_PAUSE_SECONDS

    def pause(self, now: float) -> float:
        """Seconds until the next start."""
        return max(0.0, self._retry_at - now)
