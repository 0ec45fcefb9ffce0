"""The cancel token of a request: it tells any thread whether the result is still needed.

Law: it can only be set; nothing waits for it.
"""

from __future__ import annotations

import math
import threading
import time


class Cancel:
    """Set when the client has left or the deadline has passed."""

    def __init__(self, seconds: float | None = None) -> None:
        self._event = threading.Event()
        self._deadline = time.monotonic() + seconds if seconds is not None else None

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        """Whether the result is no longer needed."""
        return self._event.is_set() or self.late

    @property
    def left(self) -> float:
        """Seconds until the deadline, at least 0; infinite if there is none."""
        return max(0.0, self._deadline - time.monotonic()) if self._deadline is not None else math.inf

    @property
    def deadline(self) -> float | None:
        """The deadline, as a time of the monotonic clock; None if there is none."""
        return self._deadline

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return self._deadline is not None and time.monotonic() > self._deadline
