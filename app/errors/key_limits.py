"""Errors of a key that has reached one of its limits."""

from __future__ import annotations

from app.errors.base import ApiError


class KeyRateLimited(ApiError):
    """The key has used what it may use in a minute, or at the same time."""

    status = 429
    type = "requests"
    refused = "rate"
    code = "rate_limit_exceeded"

    def __init__(self, what: str, limit: int, retry_after: int) -> None:
        """`what`: `requests per minute`, for example."""
        super().__init__(
            f"Rate limit reached for this API key: {limit} {what}. Please try again in {retry_after}s."
        )
        self.retry_after = retry_after


class QuotaUsedUp(ApiError):
    """The key has used its seconds of audio of this month."""

    status = 429
    type = "insufficient_quota"
    code = "insufficient_quota"
    retry = False
    refused = "quota"

    def __init__(self, limit: int, used: float) -> None:
        super().__init__(
            f"You exceeded your current quota: this API key may use {limit} seconds of audio a month, and "
            f"has used {used:.0f}. The operator of this server can raise it."
        )
