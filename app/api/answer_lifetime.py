"""Answers that end when their client leaves or when their deadline has passed.

Law: when the client leaves, the work stops: iterators are closed and tasks are cancelled, never left behind.
Every resource is given back, whatever fails on the way.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any, Protocol, TypeVar

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api import error_envelope
from app.api.error_envelope import ClientGone
from app.errors import ApiError, RequestTimedOut, ShuttingDown
from app.logs import note

log = logging.getLogger(__name__)
Result = TypeVar("Result")
LATE_SECONDS = 1.0
"""After the deadline, the work has so many seconds to report the timeout itself; then the answer is ended
from outside.
"""


CUT = "antiphon.cut"
"""ASGI extension: a callable that ends the connection in the middle of an answer (`http_connections.py`)."""


class ResponseCut(Exception):
    """The answer cannot be completed: the server ends the connection, so that the client notices."""


class Closable(Protocol):
    """A resource that a stream holds and that is closed with it."""

    async def aclose(self) -> None: ...


Opened = TypeVar("Opened", bound=Closable)


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled if the client leaves. The request's body must be read already.

    Raises `ClientGone`.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_until_gone(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    except asyncio.CancelledError:  # the server stops; what was made all the same is told
        await stop_tasks(working)
        if working.cancelled() or working.exception():
            raise
        return working.result()
    finally:
        await stop_tasks(working, leaving)


async def opened_in(stack: AsyncExitStack, opening: Awaitable[Opened]) -> Opened:
    """Waits for `opening`. The result is closed together with `stack`, even if the client left meanwhile."""
    opened = await opening
    stack.push_async_callback(opened.aclose)
    return opened


class LiveResponse(Response):
    """Sends bytes of an async generator as they come, until the client leaves."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        resources: AsyncExitStack,
        media_type: str,
        headers: Mapping[str, str] | None = None,
        *,
        deadline: float | None = None,
    ) -> None:
        """`resources`: what the chunks are made from; they are closed whenever and however the answer ends.
        `deadline`: of the request, as a time of the monotonic clock; it also ends the answer of a client that
        does not read.
        """
        super().__init__(media_type=media_type, headers=dict(headers or {}))
        del self.headers["content-length"]
        self._chunks = chunks
        self._resources = resources
        self._deadline = deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as closing:  # each of these runs, even if another one raises
            closing.push_async_callback(self._resources.aclose)
            closing.push_async_callback(self._chunks.aclose)
            sending = asyncio.ensure_future(self._send_all(send))
            leaving = asyncio.ensure_future(_until_gone(receive))
            closing.push_async_callback(stop_tasks, sending, leaving)
            failure = await self._failure(scope, sending, leaving)
            if failure:
                await stop_tasks(sending)
                note(outcome="cut", error=failure.code or failure.status)
                await self._end(failure, scope, send)

    async def _failure(
        self, scope: Scope, sending: asyncio.Future[None], leaving: asyncio.Future[None]
    ) -> ApiError | None:
        """Waits for the end of the answer. Returns the failure that the client must be told, or None."""
        seconds = None if self._deadline is None else self._deadline - time.monotonic() + LATE_SECONDS
        try:
            await asyncio.wait({sending, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if not stopping(scope):
                raise
            return ShuttingDown()
        if sending.done():
            return _as_api_error(sending.exception())
        if leaving.done():
            note(outcome="left")
            return None
        return RequestTimedOut()

    async def _end(self, failure: ApiError, scope: Scope, send: Send) -> None:
        """Ends an answer that failed. Audio cannot carry an error message; as the regular end is missing, the
        client sees that the answer is incomplete.
        """
        cut(scope)

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._framed()) as framed:
            async for data in framed:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _framed(self) -> AsyncGenerator[bytes, None]:
        return self._chunks


def stopping(scope: Scope) -> bool:
    """Whether the grace period of a shutdown is over, so that a cancelled request must be
    told to its client.
    """
    app = scope.get("app")
    return app is not None and getattr(app.state, "stopping", False)


def cut(scope: Scope) -> None:
    """Ends the connection in the middle of the answer. Raises `ResponseCut` without our extension."""
    extension: dict[str, Callable[[], None]] | None = scope.get("extensions", {}).get(CUT)
    if not extension:
        raise ResponseCut
    extension["cut"]()


def _as_api_error(failure: BaseException | None) -> ApiError | None:
    """The error that the client may see. An internal error is logged with its stack trace, any other failure
    in one line.
    """
    if failure is None or isinstance(failure, ApiError):
        if failure:
            log.info("an answer that had begun failed: %s", failure)
        return failure
    return error_envelope.internal(failure)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def stop_tasks(*tasks: asyncio.Future[Any]) -> None:
    """Cancels tasks and waits for their end. If the caller is cancelled meanwhile, it is cancelled after
    that.

    The resources of the tasks can be closed afterwards, because no step uses them any more.
    """
    for task in tasks:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError as again:
            cancelled = again
    for task in tasks:
        if not task.cancelled():
            task.exception()  # marks the exception as retrieved, so that asyncio does not log it
    if cancelled:
        raise cancelled
