"""How often the process of an engine ended, and when it may be started again.

Law: arithmetic over given times; reads no clock and starts nothing.

Theory of operation: exponential back-off. The first start after a death is immediate; each further death
doubles the pause. A process that answered a call, or that was loaded for a minute, begins anew: otherwise a
client whose audio crashes the engine could keep it away from everybody. `MOST_DEATHS` deaths in a row without
either are a crash loop: requests are refused until the next attempt succeeds. They are counted, and not
dated, because an engine may load for longer than any window of time that would fit another.
"""

from __future__ import annotations

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
MOST_DEATHS = 5
LONG_LIFE_SECONDS = 60.0


class CrashHistory:
    """The history of one model. Times are seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._deaths = 0
        """Deaths in a row: since the last answer, or since the last process that lived long."""
        self._pause = 0.0
        self._retry_at = 0.0
        self.reason = ""
        """How the process ended last."""

    def died(self, now: float, reason: str, *, up: float, worked: bool) -> float:
        """Returns the seconds until the next start.

        `up`: seconds since its engine was loaded; 0: it never was. `worked`: whether it answered a call.
        """
        if worked or up >= LONG_LIFE_SECONDS:
            self.worked()
        self.reason = reason
        self._deaths += 1
        pause = self._pause
        self._pause = min(max(FIRST_PAUSE_SECONDS, 2 * pause), LONGEST_PAUSE_SECONDS)
        self._retry_at = now + pause
        return pause

    def worked(self) -> None:
        """The process has answered a call: the crash loop has ended."""
        self._deaths = 0
        self._pause = 0.0

    @property
    def looping(self) -> bool:
        """Whether the process is in a crash loop, so that requests should be refused."""
        return self._deaths >= MOST_DEATHS

    def pause(self, now: float) -> float:
        """Seconds until the next start."""
        return max(0.0, self._retry_at - now)
