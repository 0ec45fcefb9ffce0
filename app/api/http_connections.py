"""HTTP connections with bounds in number, bytes and time, for clients that have shown no key yet.

Law: no route and no service is known here. uvicorn's protocol parses and calls the application; this class
adds bounds on what arrives before the application is asked (head, trailers, pipelined requests), and ends
connections on which nothing moves.

While the application works on a request, its own limits hold (`limits.upload_idle_seconds` and
`limits.request_seconds`). In every other state the connection waits for its client, and `check` ends it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from functools import partial
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.answer_lifetime import CUT
from app.api.protocol_upgrade import head_without_upgrade, is_handshake
from app.api.transport import (
    AnswerTransport,
    CountedTransport,
    ReadingPace,
    refusal,
)
from app.api.waiting_connections import ConnectionBook
from app.errors import ApiError, HeadersTooLarge, InvalidRequest, RequestTimedOut, TooManyConnections
from app.logs import bound, new_request_id

log = logging.getLogger(__name__)
PIPELINED_REQUESTS = 64
"""Pipelined requests: those that wait on one connection while another is answered. A client that sends
more is refused."""
FIRST_REQUEST_SECONDS = 1.0
"""While the server stops: seconds in which a new connection may begin to ask. A proxy opens one for each
request, and takes its loss for a failure of the request."""
LINGER_SECONDS = 2.0
LINGER_BYTES = 1 << 20
"""The most bytes that are read and dropped after a refusal: unread, they would make the kernel reset the
connection, and the client would lose the answer."""


class Connection(HttpToolsProtocol):
    """One HTTP connection."""

    def __init__(self, book: ConnectionBook, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._book = book
        self._limits = book.limits
        self._since = time.monotonic()
        self._reading = ReadingPace(self._limits.download_idle_seconds, self._since)
        self._in_head = self._in_message = False
        self._began = self._has_body = self._closes = False
        self._answers = 0
        self._open: deque[RequestResponseCycle] = deque()  # requests that are not answered yet, in order
        self._fed = self._bytes = self._count = 0
        self._refusal: ApiError | None = None
        self._dropped = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        full = len(self.connections) >= self._limits.connections
        super().connection_made(cast("asyncio.Transport", CountedTransport(transport)))
        if full and not self._book.make_place():
            self._refuse(TooManyConnections())
        self._book.wait(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._book.leave(self)
        # uvicorn tells only the last request that its client has left; the first one may still run
        for cycle in self._open:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal:
            self._drop(data)
            return
        self._began = self._has_body = False
        self._unset_keepalive_if_required()
        rest = data
        while rest:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as asked:
                rest = self._upgrade(rest[asked.args[0] :])
            except httptools.HttpParserError:
                self._refuse(self._refusal or InvalidRequest("The request is not valid HTTP."))
                return
            else:
                self._count_fed(len(data))
                return

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._in_message = self._began = True
        self._fed = self._bytes = self._count = 0
        if not self._answering:
            self._since = time.monotonic()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count += 1
        self._count_head(len(name) + len(value) + 4)
        if self._in_head:  # trailers are dropped: they come after the body, when the headers were checked
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.pipeline) >= PIPELINED_REQUESTS:
            self._fail(InvalidRequest(f"More than {PIPELINED_REQUESTS} requests wait on this connection."))
        if self.parser.get_method() == b"CONNECT":
            self._fail(InvalidRequest("This server is no proxy: it does not know the method CONNECT."))
        if self._asks_in_vain or self._ends:
            return
        self._book.leave(self)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # no new cycle was made if the connection becomes a WebSocket
            self.cycle.keep_alive &= not self._book.stopping
            self._open.append(self.cycle)
            close = partial(self._close, self.cycle)
            transport = AnswerTransport(cast("CountedTransport", self.transport), close)
            self.cycle.transport = cast("asyncio.Transport", transport)
            self.scope["extensions"] = {CUT: {"cut": partial(self._cut, self.cycle)}}

    def on_body(self, body: bytes) -> None:
        self._has_body = True
        self._fed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._asks_in_vain:
            return
        self._in_message = False
        super().on_message_complete()
        if self._closes:
            self.transport.close()

    def on_response_complete(self) -> None:
        self._open.popleft()
        super().on_response_complete()
        self._answers += 1
        self._since = time.monotonic()
        if not self._answering:
            self._book.wait(self)

    def shutdown(self) -> None:
        """Ends the connection after its current answer, or at once if it waits for a further request."""
        if self._answering or (self._answers and not self._in_message):
            super().shutdown()
        else:
            self._since = time.monotonic()

    def check(self, now: float) -> None:
        """Ends the connection if no byte has moved for too long. Called every second."""
        if not self._is_taken(now):
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif not self._answering and now - self._since > self._patience:
            if self._in_head and not self._refusal:
                self._refuse(RequestTimedOut())
            else:
                self.end()

    def end(self) -> None:
        """Ends a connection that waits for its client to send or read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    @property
    def _ends(self) -> bool:
        """Whether the last answer was given: what the client still sends asks for nothing (RFC 9112, 9.6)."""
        return self._closes or self.transport.is_closing()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _patience(self) -> float:
        if self._refusal:
            return LINGER_SECONDS
        if self._book.stopping:
            return LINGER_SECONDS if self._closes else FIRST_REQUEST_SECONDS
        idle = self._answers and not self._in_message
        return self._limits.idle_seconds if idle else self._limits.header_seconds

    def _is_taken(self, now: float) -> bool:
        """Whether the client reads what the server sends."""
        transport = cast("CountedTransport", self.transport)
        pending = transport.get_write_buffer_size() + transport.unacknowledged()
        return self._reading.goes_on(now, transport.written, pending)

    def _should_upgrade(self) -> bool:
        """True for a complete WebSocket handshake only; any other request to upgrade is served without."""
        return super()._should_upgrade() and is_handshake(self.parser.get_method(), self.headers)

    @property
    def _asks_in_vain(self) -> bool:
        """Whether the request asks for another protocol and is answered in HTTP/1.1 nevertheless."""
        return self.parser.should_upgrade() and not self._should_upgrade()

    def _upgrade(self, rest: bytes) -> bytes:
        """Opens a WebSocket, or has a request for another protocol answered in this one. `rest`: the bytes
        behind its head. Returns the bytes that are still to be parsed.

        The parser takes a body behind such a head for data of the other protocol. So the head is parsed again
        without the request to upgrade; otherwise the body would be lost, or be read as the next request.
        """
        if self._should_upgrade():
            self.handle_websocket_upgrade()
            return b""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # the setting that uvicorn uses
        return head_without_upgrade(method, self.url, version, self.headers) + rest

    def _count_fed(self, size: int) -> None:
        """Counts bytes outside of complete heads and of bodies: parts of headers, trailers, chunk sizes."""
        if self._in_message and not self._began and not self._has_body:
            self._fed += size
            if self._fed > self._limits.header_bytes:
                self._refuse(HeadersTooLarge(self._limits.header_bytes, self._limits.header_count))

    def _count_head(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._limits.header_bytes or self._count > self._limits.header_count:
            self._fail(HeadersTooLarge(self._limits.header_bytes, self._limits.header_count))

    def _fail(self, error: ApiError) -> None:
        """Stops the parser, which is the caller of this method."""
        self._refusal = error
        raise error

    def _refuse(self, error: ApiError) -> None:
        """Answers bytes that are no valid request, and ends the connection. Not behind its last answer."""
        self._refusal = error
        self._since = time.monotonic()
        if self._ends or (self._answering and not self._give_up_request()):
            return
        request_id = new_request_id()
        with bound(request_id):
            fields = {"status": error.status, "outcome": "refused", "client": self.client and self.client[0]}
            log.info("no request: %s", error.message, extra=fields)
        self.transport.write(refusal(error, request_id))
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _give_up_request(self) -> bool:
        """Tells the application that the rest of the current request's body will not come.

        Returns whether a refusal may be written: not after the answer has begun.
        """
        if self._in_head:  # what failed is the head of the next request, and the current one goes on
            self.cycle.keep_alive = False
            return False
        if self.pipeline or self.cycle.response_started:
            self.transport.abort()
            return False
        self.cycle.response_complete = self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True

    def _drop(self, data: bytes) -> None:
        self._dropped += len(data)
        if self._dropped > LINGER_BYTES and not self._answering:
            self.transport.abort()

    def _close(self, cycle: RequestResponseCycle) -> None:
        """Ends the connection after its last answer, that of `cycle`. If its body still comes, it is read
        first: if it were not, the kernel would reset the connection and the client would lose the answer.
        """
        if self.cycle is not cycle or not cycle.more_body or self.transport.is_closing():
            self.transport.close()
        else:
            self._closes = True
            if self.transport.can_write_eof():
                self.transport.write_eof()

    def _cut(self, cycle: RequestResponseCycle) -> None:
        cycle.response_complete = cycle.disconnected = True  # or uvicorn says that the answer is incomplete
        self.transport.close()


def protocol(book: ConnectionBook) -> type[asyncio.Protocol]:
    """The factory that uvicorn calls for the protocol of each connection."""
    return cast("type[asyncio.Protocol]", partial(Connection, book))
