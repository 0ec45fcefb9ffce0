"""Answers that live as long as their client.

Law: when the client leaves, the work stops: iterators are closed and tasks are cancelled, never left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api import faults
from app.api.faults import ClientGone
from app.errors import ApiError, InternalError
from app.wire import sse

Result = TypeVar("Result")
KEEP_ALIVE_SECONDS = 10.0


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
    finally:
        await _stop(working, leaving)


class LiveResponse(Response):
    """Bytes from an async generator, as they come, for as long as the client is there."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        resources: AsyncExitStack,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`resources`: what the chunks are made from; closed when the answer ends, however it ends."""
        super().__init__(media_type=media_type, headers=dict(headers or {}))
        del self.headers["content-length"]
        self._chunks = chunks
        self._resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send_all(send))
        leaving = asyncio.ensure_future(_until_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            await _stop(sending, leaving)
            await self._chunks.aclose()
            await self._resources.aclose()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for data in self._framed():
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _framed(self) -> AsyncIterator[bytes]:
        return self._chunks


class EventStream(LiveResponse):
    """Server-sent events from an async generator of frames."""

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        resources: AsyncExitStack,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        fixed = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(frames, resources, "text/event-stream", {**fixed, **(headers or {})})

    def _framed(self) -> AsyncIterator[bytes]:
        return _kept_alive(_guarded(self._chunks))


async def _guarded(frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A failure after the first byte is a last frame that both SDKs raise as an error."""
    try:
        async for data in frames:
            yield data
    except ApiError as failure:
        yield sse.frame(failure.envelope())
    except Exception as failure:  # noqa: BLE001 - the stream has begun: this is the last place to tell
        faults.internal(failure)
        yield sse.frame(InternalError().envelope())


async def _kept_alive(frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Comment lines while nothing else is to say."""
    iterator = aiter(frames)
    step: asyncio.Future[bytes] = asyncio.ensure_future(anext(iterator))
    try:
        while True:
            done, _ = await asyncio.wait({step}, timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield sse.KEEP_ALIVE
                continue
            try:
                data = step.result()
            except StopAsyncIteration:
                return
            yield data
            step = asyncio.ensure_future(anext(iterator))
    finally:
        await _stop(step)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await task
