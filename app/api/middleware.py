"""Around every request: its id, its time, its log line, its key, and the net under all faults.

Law: plain ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import faults
from app.errors import ApiError
from app.telemetry import FIELDS, new_request_id, request_id

log = logging.getLogger("antiphon.access")
PROTECTED = "/v1"
CALLER = "antiphon.caller"
"""Key of the scope under which routes find who calls."""


class RequestFrame:
    """Gives each request an id, times it, logs it, and answers faults that nothing else caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        mark = new_request_id()
        token = request_id.set(mark)
        status = 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = mark
                headers["openai-processing-ms"] = str(int((time.monotonic() - began) * 1000))
                headers["openai-version"] = "2020-10-01"
            await send(message)

        try:
            await self._app(scope, receive, framed)
        except Exception as failure:  # noqa: BLE001 - the net under everything
            error = faults.internal(failure)
            if not status:
                await faults.response(error)(scope, receive, framed)
        finally:
            _log(scope, mark, status, time.monotonic() - began)
            request_id.reset(token)


class KeyCheck:
    """Asks for a key on every path of the API, before anything else is looked at."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_protected(scope["path"]):
            keys = scope["app"].state.container.keys
            try:
                scope[CALLER] = await keys.authenticate(Headers(scope=scope).get("authorization"))
            except ApiError as refused:
                await faults.response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_protected(path: str) -> bool:
    return path == PROTECTED or path.startswith(PROTECTED + "/")


def _log(scope: Scope, mark: str, status: int, seconds: float) -> None:
    fields: dict[str, Any] = {
        "method": scope["method"],
        "path": scope["path"][:200].encode("unicode_escape").decode(),
        "status": status or 499,
        "ms": int(seconds * 1000),
        "id": mark,
    }
    level = logging.DEBUG if scope["path"].startswith("/health") else logging.INFO
    log.log(level, "request", extra={FIELDS: fields})
