"""An answer of server-sent events: keep-alive comments while nothing happens, and a last frame for a failure.

Law: knows no event; the frames come from the route. How long the answer lives is decided by
`answer_lifetime.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack

from starlette.types import Scope, Send

from app.api.answer_lifetime import LiveResponse, cut, stop_tasks
from app.errors import ApiError
from app.wire import sse

KEEP_ALIVE_SECONDS = 10.0
FAREWELL_SECONDS = 1.0
"""Seconds for sending the last frame of a stream; a client that does not read would block
it without limit.
"""


class EventStream(LiveResponse):
    """Server-sent events from an async generator of frames."""

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        resources: AsyncExitStack,
        headers: Mapping[str, str] | None = None,
        *,
        deadline: float | None = None,
    ) -> None:
        fixed = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(
            frames, resources, "text/event-stream", {**fixed, **(headers or {})}, deadline=deadline
        )

    def _framed(self) -> AsyncGenerator[bytes, None]:
        return _kept_alive(self._chunks)

    async def _end(self, failure: ApiError, scope: Scope, send: Send) -> None:
        """Sends a failure after the first byte as a last frame, which both official SDKs
        raise as an error.
        """
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                last = sse.frame(failure.envelope())
                await send({"type": "http.response.body", "body": last, "more_body": False})
        except TimeoutError:
            cut(scope)


async def _kept_alive(frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The frames, with a comment line whenever there was no frame for `KEEP_ALIVE_SECONDS`."""
    step: asyncio.Future[bytes] = asyncio.ensure_future(anext(frames))
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
            step = asyncio.ensure_future(anext(frames))
    finally:
        await stop_tasks(step)
