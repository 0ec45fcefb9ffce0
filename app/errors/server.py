"""Temporary and internal failures of the server: every 5xx but that of `errors/connections.py`."""

from __future__ import annotations

import errno

from app.errors.base import ApiError


class InternalError(ApiError):
    """An internal error; the log has the details under the request id."""

    def __init__(self) -> None:
        super().__init__("The server had an error while processing your request. Sorry about that!")


class ModelUnavailable(ApiError):
    """The model exists, but its weights are absent or damaged."""

    status = 503
    code = "model_unavailable"
    retry_after = 30


class EngineCrashed(ApiError):
    """The engine crashed at this request, twice; it would crash again."""

    code = "engine_crashed"
    retry = False

    def __init__(self) -> None:
        super().__init__(
            "The model's engine crashed while it processed this request, and again when it was tried alone. "
            "Sending the same request again will not help."
        )


class OutOfMemory(ApiError):
    """The machine or its GPU has no memory for the request."""

    status = 503
    code = "out_of_memory"
    retry_after = 30
    refused = "memory"

    def __init__(self) -> None:
        super().__init__(
            "The server has not enough free memory for this request at the moment. Try again later."
        )


class ShuttingDown(ApiError):
    """The server is being stopped."""

    status = 503
    code = "shutting_down"
    retry_after = 5

    def __init__(self) -> None:
        super().__init__("The server is shutting down.")


class StorageUnavailable(ApiError):
    """The database is locked, stopped or cannot be reached."""

    status = 503
    code = "storage_unavailable"
    retry_after = 5

    def __init__(self, state: str = "cannot be reached") -> None:
        super().__init__(
            f"The server's database {state} at the moment. Nothing was stored; try again shortly."
        )


class StorageFull(ApiError):
    """The server's disk is full."""

    status = 507
    code = "storage_full"
    retry_after = 60

    def __init__(self) -> None:
        super().__init__(
            "The server's disk is full, so the request was given up. Its operator must make room; other "
            "requests may still work."
        )


def from_os(error: OSError) -> ApiError:
    """Translates a failed system call into the error that the client sees."""
    if error.errno == errno.ENOMEM:
        return OutOfMemory()
    return StorageFull() if error.errno in (errno.ENOSPC, errno.EDQUOT) else InternalError()
