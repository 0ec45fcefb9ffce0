"""What is wrong with an `Idempotency-Key`."""

from __future__ import annotations

from app.errors.base import ApiError, InvalidRequest


class IdempotencyKeyReused(InvalidRequest):
    """An `Idempotency-Key` that was already used for a different request."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was sent before with another request. Use a new key for each thing that is "
            "to be created."
        )


class IdempotencyKeyInUse(ApiError):
    """The first request with the key is still worked on."""

    status = 409
    type = "invalid_request_error"
    code = "idempotency_key_in_use"
    retry_after = 1

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is being worked on. Try again shortly.")
