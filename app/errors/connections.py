"""Refusals of connections and of web pages, before a route or a key is looked at."""

from __future__ import annotations

from app.errors.base import ApiError


class HostNotAllowed(ApiError):
    """Without API keys `Host` must be a name of this machine; another name may be a DNS rebinding attack by a
    web page.
    """

    status = 403
    type = "invalid_request_error"
    code = "host_not_allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This server has no API keys and does not answer to the name '{host[:100]}'. Use 127.0.0.1 or "
            "localhost, or add the name to `server.allowed_hosts`."
        )


class OriginNotAllowed(ApiError):
    """A web page of another site sent the request."""

    status = 403
    type = "invalid_request_error"
    code = "origin_not_allowed"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Web pages of '{origin[:100]}' may not use this server. Its operator can add that origin to "
            "`server.cors_origins`."
        )


class UpgradeRequired(ApiError):
    """The path is for WebSockets alone."""

    status = 426
    type = "invalid_request_error"
    code = "upgrade_required"

    def __init__(self) -> None:
        super().__init__("Connect to this path with a WebSocket.")


class HeadersTooLarge(ApiError):
    """The head of the request has more bytes or more headers than the settings allow."""

    status = 431
    type = "invalid_request_error"
    code = "headers_too_large"

    def __init__(self, size: int, count: int) -> None:
        super().__init__(f"The request has more than {size} bytes of headers or more than {count} headers.")


class TooManyConnections(ApiError):
    """All connections that the server may have are busy."""

    status = 503
    code = "too_many_connections"
    retry_after = 1

    def __init__(self) -> None:
        super().__init__("The server has as many connections as it may. Try again shortly.")
