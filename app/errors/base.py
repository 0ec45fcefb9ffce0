"""The error of the API and its three usual kinds. Law: what an envelope holds stands here alone."""

from __future__ import annotations


class ApiError(Exception):
    """A failure with its place in the OpenAI error envelope."""

    status = 500
    type = "server_error"
    code: str | None = None
    param: str | None = None
    retry_after: int | None = None
    """Seconds after which trying again makes sense."""
    retry: bool | None = None
    """Whether clients should try again; None: they know by the status. Both SDKs obey it."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = _encodable(message)
        self.param = _encodable(param) if param is not None else self.param
        self.code = code if code is not None else self.code

    def envelope(self) -> dict[str, dict[str, str | None]]:
        """The body of the answer."""
        keys = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": keys}


def _encodable(text: str) -> str:
    """What a client sent may be quoted: half a surrogate pair in it would fail when the answer is encoded."""
    return text if text.isascii() else text.encode(errors="replace").decode()


class InvalidRequest(ApiError):
    """The request itself is wrong."""

    status = 400
    type = "invalid_request_error"


class NotFound(ApiError):
    """No such thing."""

    status = 404
    type = "invalid_request_error"
