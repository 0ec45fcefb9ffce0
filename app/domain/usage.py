"""Counted use of the server. Law: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Span = Literal["minute", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCounts:
    """The use that was counted: requests and seconds of audio."""

    requests: int = 0
    refused: int = 0
    """Requests that a limit of the key has refused."""
    heard: float = 0.0
    """Seconds of audio transcribed."""
    spoken: float = 0.0
    """Seconds of speech synthesized."""

    @property
    def audio(self) -> float:
        """Seconds of audio, transcribed and synthesized."""
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
    """Id of the key, or `settings` for a key of the settings file, or `open` without keys."""
    project: str
    span: Span
    start: int
    """Unix time of the beginning of the minute or the day."""
    counts: UsageCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedUsage:
    """The use by all servers together, as stored in the database."""

    minute: UsageCounts
    """In the current minute."""
    month_audio: float
    """Seconds of audio in the current month."""
    running_elsewhere: int
    """Requests that other servers answer at the moment."""
