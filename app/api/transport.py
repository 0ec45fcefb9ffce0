"""Bytes to a client below HTTP: how many of them it has taken, and an answer without a request.

Law: no state of the protocol.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import struct
import termios
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.errors import ApiError


class CountedTransport:
    """A transport that counts the bytes written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self.written = 0

    def unacknowledged(self) -> int:
        """Bytes in the kernel that the client has not taken. They can be megabytes, minutes of audio."""
        try:
            count: int = struct.unpack("i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4)))[0]
        except OSError:  # a kernel that does not tell
            return 0
        return count

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def refusal(error: ApiError, request_id: str) -> bytes:
    """The answer to what never became a request."""
    body = json.dumps(error.envelope()).encode()
    headers = [
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"x-request-id: {request_id}",
        "openai-processing-ms: 0",
        "connection: close",
    ]
    if error.retry_after is not None:
        headers.append(f"retry-after: {error.retry_after}")
    return STATUS_LINE[error.status] + "\r\n".join(headers).encode() + b"\r\n\r\n" + body
