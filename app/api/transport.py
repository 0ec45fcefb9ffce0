"""Bytes of HTTP: how many of them a client has read, and the answer to an invalid request.

Law: holds no state of the protocol.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import struct
import termios
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.errors import ApiError

LEAST_TAKEN_PER_SECOND = 1000
"""The slowest speed at which a client may read an answer, in bytes a second. The slowest audio has three
times as many.
"""


class CountedTransport:
    """A transport that counts the bytes written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self.written = 0

    def unacknowledged(self) -> int:
        """Bytes in the kernel that the client has not received. They can be megabytes, which is minutes of
        audio.
        """
        try:
            count: int = struct.unpack("i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4)))[0]
        except OSError:  # this kernel does not give the number
            return 0
        return count

    def write(self, data: bytes) -> None:
        self.written += len(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class AnswerTransport:
    """The transport that an answer is written to. `close` decides what the end of the answer does to the
    connection.
    """

    def __init__(self, transport: CountedTransport, close: Callable[[], None]) -> None:
        self._transport = transport
        self.close = close

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class ReadingPace:
    """Checks whether a client still reads its answer.

    Within the idle bound it must read everything that was written before, or read at
    `LEAST_TAKEN_PER_SECOND`. Without a least speed, a client that reads one byte a minute could keep its
    place for ever.
    """

    def __init__(self, idle: float, now: float) -> None:
        """`idle`: the longest time without progress, in seconds. `now`: a time of the monotonic clock."""
        self._idle = idle
        self._since = now
        self._taken = self._owed = 0

    def goes_on(self, now: float, written: int, pending: int) -> bool:
        """Whether the client still reads. `written`: bytes of all answers so far. `pending`: those that it
        has not received yet.
        """
        taken = written - pending
        if taken >= self._owed or taken - self._taken >= LEAST_TAKEN_PER_SECOND * self._idle:
            self._taken, self._owed, self._since = taken, written, now
        return now - self._since <= self._idle


def refusal(error: ApiError, request_id: str) -> bytes:
    """The answer to bytes that are not a valid HTTP request."""
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
