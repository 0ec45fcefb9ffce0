"""What happens around every request: its id, its access log line and counters, the check of its key, and the
last error handler.

Law: plain ASGI, which passes the chunks of a stream on as they come.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.api import access, faults
from app.api.streaming import ResponseCut, cut, stopping
from app.errors import ApiError
from app.runtime.meters import Meters
from app.services.client_secrets import PREFIX, ClientSecretService
from app.services.keys import KeyService
from app.telemetry import new_request_id, recorded

log = logging.getLogger("antiphon.access")
API = "/v1"
CALLER = "antiphon.caller"
"""Key of the scope under which routes find who calls."""
OPENED_BY = "antiphon.opened_by"
"""Key of the scope under which a WebSocket finds the client secret that opened it."""
KEY_PROTOCOL = "openai-insecure-api-key."
"""Browsers cannot send headers with a WebSocket: their key comes as a subprotocol."""
LIVE = "/v1/realtime"
"""The one path that client secrets open."""
REPLY = "antiphon.reply"


class RequestFrame:
    """Gives each request an id, times it, counts it and logs it; handles HEAD and trailing slashes."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = _Reply(send, head=scope["method"] == "HEAD")
        routed = _as_routed(scope)
        routed[REPLY] = reply
        with recorded(reply.id) as facts:
            try:
                await self._app(routed, receive, reply.send)
            finally:
                _log(scope, routed, reply, facts)
                self._count(scope, routed, reply)

    def _count(self, scope: Scope, routed: Scope, reply: _Reply) -> None:
        status = reply.status or faults.CLIENT_GONE
        self._meters.requested(route_of(routed), scope["method"], status, reply.milliseconds / 1000)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket: one access line when it ends; a refused upgrade has the headers of an answer."""
        reply = _Reply(send, head=False)
        routed = {**scope, "path": scope["path"].rstrip("/") or "/"}

        async def answer(message: Message) -> None:
            if message["type"] == "websocket.http.response.start":
                reply.status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = reply.id
            elif message["type"] == "websocket.accept":
                reply.status = 101
                MutableHeaders(scope=message)["x-request-id"] = reply.id
            await send(message)

        with recorded(reply.id) as facts:
            try:
                await self._app(routed, receive, answer)
            finally:
                fields = {"path": scope["path"][:200], "status": reply.status, "ms": reply.milliseconds}
                log.info("websocket", extra=fields | facts)


class LastResort:
    """Answers failures that no other handler caught, and requests that are cancelled by a shutdown."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ResponseCut:
            raise  # the server catches it and ends the connection
        except asyncio.CancelledError:
            if not stopping(scope) or scope["type"] != "http":
                raise
            await _answer(errors.ShuttingDown(), scope, receive, send)
        except Exception as failure:
            if scope["type"] != "http":
                raise
            await _answer(faults.internal(failure), scope, receive, send)


async def _answer(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the error envelope; if an answer has begun already, ends it so that the client sees that it is
    incomplete.
    """
    reply: _Reply = scope[REPLY]
    if not reply.status:
        await faults.response(error)(scope, receive, send)
    elif not reply.complete:
        cut(scope)


class _Reply:
    """Remembers what was sent of one answer."""

    def __init__(self, send: Send, *, head: bool) -> None:
        """`head`: whether this is a HEAD request, whose answer has no body."""
        self.id = new_request_id()
        self.status = 0
        self.complete = False
        self._send = send
        self._head = head
        self._began = time.monotonic()

    @property
    def milliseconds(self) -> int:
        return int((time.monotonic() - self._began) * 1000)

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
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True


class KeyCheck:
    """Checks the API key on every path but the open ones, before any other check."""

    def __init__(self, app: ASGIApp, keys: KeyService, secrets: ClientSecretService, *, page: bool) -> None:
        """`page`: whether the web page is served."""
        self._app = app
        self._keys = keys
        self._secrets = secrets
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not access.is_open(scope["path"], page=self._page):
            try:
                await self._authenticate(scope)
            except ApiError as refused:
                await faults.response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> None:
        """Finds out who calls. Raises `Unauthorized` or `StorageUnavailable`."""
        header = Headers(scope=scope).get("authorization")
        if scope["type"] == "websocket":
            header = header or _key_protocol(scope)
            secret = (header or "").partition(" ")[2].strip()
            if scope["path"] == LIVE and secret.startswith(PREFIX):
                scope[OPENED_BY] = found = await self._secrets.find(secret)
                scope[CALLER] = found.caller
                return
        scope[CALLER] = await self._keys.authenticate(header)


def _key_protocol(scope: Scope) -> str | None:
    """The key among the subprotocols, as a header would have it."""
    for offered in scope.get("subprotocols", []):
        if offered.startswith(KEY_PROTOCOL):
            return f"Bearer {offered.removeprefix(KEY_PROTOCOL)}"
    return None


def route_of(scope: Scope) -> str | None:
    """The template of the route that answered, such as `/v1/models/{model}`; None if no route matched."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None or path.startswith(API) or not scope["path"].startswith(API + "/"):
        return path
    return API + path  # FastAPI gives the path within the included router


def _as_routed(scope: Scope) -> Scope:
    """The request with its path as the routes have it: a trailing slash is dropped, because a redirect would
    lose an upload.
    """
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "method": method, "path": scope["path"].rstrip("/") or "/"}


def _log(scope: Scope, routed: Scope, reply: _Reply, facts: dict[str, object]) -> None:
    """The access line of a request. Health checks come every few seconds, so their lines have the level
    debug.
    """
    fields: dict[str, object] = {
        "method": scope["method"],
        "path": scope["path"][:200],
        "route": route_of(routed),
        "status": reply.status or faults.CLIENT_GONE,
        "outcome": _outcome(reply),
        "ms": reply.milliseconds,
    }
    level = logging.DEBUG if scope["path"].startswith("/health") else logging.INFO
    log.log(level, "request", extra=fields | facts)


def _outcome(reply: _Reply) -> str:
    if reply.status in (0, faults.CLIENT_GONE):
        return "client left"
    return "answered" if reply.complete else "cut"
