"""What is done for every request: its id, its access log line, its metrics, and the last error handler.

Law: plain ASGI, which passes the chunks of a stream on as they come.
"""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.api import access_log, error_envelope
from app.api.answer_lifetime import ResponseCut, cut, stopping
from app.api.request_trace import describe_request, traced_request
from app.errors import ApiError
from app.logs import new_request_id, note, recorded
from app.runtime.meters import Meters
from app.tracing import trace_id

REPLY = "antiphon.reply"
SWITCHING_STATUS = 101
"""The status of an accepted upgrade to WebSocket."""


class EveryRequest:
    """Gives each request an id, times it, counts it and logs it; handles HEAD and trailing slashes."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._framed(scope, _SocketReply(send), {**scope, "path": _path(scope)}, receive)
        elif scope["type"] == "http":
            reply = _Reply(send, head=scope["method"] == "HEAD")
            await self._framed(scope, reply, _as_routed(scope), receive)
        else:
            await self._app(scope, receive, send)

    async def _framed(self, scope: Scope, reply: _Reply, routed: Scope, receive: Receive) -> None:
        """Runs the request; when it has ended, writes its access log line and its metrics."""
        method = scope.get("method", "GET")
        routed[REPLY] = reply
        self._meters.http.began(method)
        with recorded(reply.id) as facts, traced_request(scope) as span:
            if span:
                note(trace=trace_id(span))
            try:
                await self._app(routed, reply.counted(receive), reply.send)
            finally:
                self._meters.http.ended(method)
                seconds = reply.milliseconds / 1000
                access_log.write(scope, routed, reply.facts, facts)
                access_log.count(self._meters.http, scope, routed, reply.shown_status, seconds, facts)
                if span:
                    describe_request(span, scope, routed, reply.facts | {"request_id": reply.id}, facts)
                if scope["type"] == "http":
                    self._meters.requested(access_log.route_of(routed), method, reply.shown_status, seconds)


class LastResort:
    """The last error handler: answers failures that no other handler caught, and requests that a shutdown
    cancels.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ResponseCut:
            raise  # the server catches the exception and ends the connection
        except asyncio.CancelledError:
            if not stopping(scope) or scope["type"] != "http":
                raise
            await _answer(errors.ShuttingDown(), scope, receive, send)
        except Exception as failure:
            if scope["type"] != "http":
                raise
            await _answer(error_envelope.internal(failure), scope, receive, send)


async def _answer(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the error envelope; if an answer has begun already, ends it so that the client sees that it is
    incomplete.
    """
    reply: _Reply = scope[REPLY]
    if not reply.status:
        await error_envelope.response(error)(scope, receive, send)
    elif not reply.complete:
        cut(scope)


class _Reply:
    """Remembers what was sent as the answer to one request, and what was received of the request."""

    def __init__(self, send: Send, *, head: bool) -> None:
        """`head`: whether this is a HEAD request, whose answer has no body."""
        self.id = new_request_id()
        self.status = 0
        self.complete = False
        self.received = self.sent = 0
        self._send = send
        self._head = head
        self._began = time.monotonic()

    @property
    def milliseconds(self) -> int:
        return int((time.monotonic() - self._began) * 1000)

    @property
    def shown_status(self) -> int:
        """The status that was sent; 499 if none was."""
        return self.status or error_envelope.CLIENT_GONE

    @property
    def facts(self) -> dict[str, object]:
        """The facts about the answer for the access log line."""
        return {
            "status": self.shown_status,
            "outcome": access_log.outcome_of(self.status, complete=self.complete),
            "ms": self.milliseconds,
            "bytes_in": self.received,
            "bytes_out": self.sent,
        }

    def counted(self, receive: Receive) -> Receive:
        """Wraps `receive`, so that the bytes of the request are counted."""

        async def counting() -> Message:
            message = await receive()
            self.received += _size(message)
            return message

        return counting

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.id
            headers["openai-processing-ms"] = str(self.milliseconds)
            headers["openai-version"] = "2020-10-01"
        elif self._head:
            message = {**message, "body": b""}
        await self._send(message)
        self.sent += _size(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True


class _SocketReply(_Reply):
    """The same for a WebSocket. If the upgrade is refused, the refusal is an ordinary answer with headers."""

    def __init__(self, send: Send) -> None:
        super().__init__(send, head=False)

    async def send(self, message: Message) -> None:
        if message["type"] in ("websocket.http.response.start", "websocket.accept"):
            self.status = message.get("status", SWITCHING_STATUS)
            self.complete = True
            MutableHeaders(scope=message)["x-request-id"] = self.id
        await self._send(message)
        self.sent += _size(message)


def _size(message: Message) -> int:
    """Size of a message in bytes. Text is counted in characters: the same for all but transcripts."""
    return len(message.get("body") or message.get("bytes") or message.get("text") or b"")


def _as_routed(scope: Scope) -> Scope:
    """The scope for the routes: GET in place of HEAD, and a path without a trailing slash."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "method": method, "path": _path(scope)}


def _path(scope: Scope) -> str:
    """The path without a trailing slash. Redirecting the client instead would lose the body of an upload."""
    path: str = scope["path"].rstrip("/")
    return path or "/"
