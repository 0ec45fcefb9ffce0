"""The error of the API and its three usual kinds. Law: the content of the error envelope is defined here and
nowhere else.
"""

from __future__ import annotations


class ApiError(Exception):
    """A failure with the fields of the OpenAI error envelope."""

    status = 500
    type = "server_error"
    code: str | None = None
    param: str | None = None
    retry_after: int | None = None
    """Seconds after which the client should try again; None: no advice."""
    retry: bool | None = None
    """Whether clients should try again. None: they decide by the status. Both official SDKs obey it."""

    refused = ""
    """The kind of limit that was reached: a label of `antiphon_refused_total`; empty for other failures."""

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
    """The text with lone surrogates replaced: a message may quote what a client sent, and they cannot be
    encoded.
    """
    return text if text.isascii() else text.encode(errors="replace").decode()


class InvalidRequest(ApiError):
    """The request itself is wrong."""

    status = 400
    type = "invalid_request_error"


class NotFound(ApiError):
    """The resource does not exist."""

    status = 404
    type = "invalid_request_error"
