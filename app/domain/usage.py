"""Counted use of the server. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Span = Literal["minute", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCounts:
    """What was used."""

    requests: int = 0
    refused: int = 0
    """Requests that a limit of the key has refused."""
    heard: float = 0.0
    """Seconds of audio transcribed."""
    spoken: float = 0.0
    """Seconds of speech made."""

    @property
    def audio(self) -> float:
        """Seconds of audio."""
        return self.heard + self.spoken

    def __add__(self, other: UsageCounts) -> UsageCounts:
        return UsageCounts(
            requests=self.requests + other.requests,
            refused=self.refused + other.refused,
            heard=self.heard + other.heard,
            spoken=self.spoken + other.spoken,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntry:
    """What one account has used in one minute, or on one day (UTC)."""

    account: str
    """Id of a key; `settings` or `open`."""
    project: str
    span: Span
    start: int
    """Unix time of the beginning of the minute or the day."""
    counts: UsageCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedUsage:
    """What all servers together have used, as the database has it."""

    minute: UsageCounts
    """In the current minute."""
    month_audio: float
    """Seconds of audio in the current month."""
    running_elsewhere: int
    """Requests that other servers answer at the moment."""
