"""Reads the bytes of a request's body, with limits on their number and speed, also after a refusal.

Law: bytes are counted as they come, since Content-Length may be absent or wrong.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.api.error_envelope import ClientGone
from app.api.multipart import FormBounds
from app.errors import ApiError, RequestTimedOut, UploadTooLarge
from app.settings.limits import LimitsSettings

ENVELOPE_BYTES = 64 * 1024
"""Bytes allowed for the multipart form's own lines: boundaries and headers of parts."""
LEAST_BYTES_PER_SECOND = 1000
"""The least mean speed, in bytes a second, of an upload that takes longer than
`limits.upload_idle_seconds`.
"""
DRAIN_BYTES = 256 * 1024 * 1024
DRAIN_SECONDS = 10.0


async def counted(
    request: Request, limits: LimitsSettings, bounds: FormBounds
) -> AsyncGenerator[bytes, None]:
    """The chunks of the body. Raises `UploadTooLarge` if it has more bytes than all parts
    may have together.
    """
    read, limit = 0, bounds.file_bytes
    most = limit + bounds.text_bytes + bounds.clip_bytes + ENVELOPE_BYTES
    async with aclosing(body_chunks(request, limits)) as chunks:
        async for chunk in chunks:
            read += len(chunk)
            if read > most:
                await drain(chunks)
                raise UploadTooLarge(limit, read)
            yield chunk


async def body_chunks(request: Request, limits: LimitsSettings) -> AsyncGenerator[bytes, None]:
    """The chunks of the body. Raises `RequestTimedOut` if the client stops sending, or sends too slowly."""
    read, began = 0, time.monotonic()
    stream = request.stream()
    while True:
        spent = time.monotonic() - began
        if spent > limits.upload_idle_seconds and read < spent * LEAST_BYTES_PER_SECOND:
            raise RequestTimedOut
        patience = min(limits.upload_idle_seconds, limits.request_seconds - spent)
        try:
            chunk = await asyncio.wait_for(anext(stream), max(patience, 0))
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RequestTimedOut from None
        except ClientDisconnect:
            raise ClientGone from None
        read += len(chunk)
        yield chunk


async def drain(stream: AsyncIterator[bytes]) -> None:
    """Reads the rest of a refused body for a while, because most clients read the answer only after they have
    sent everything.
    """
    until, left = time.monotonic() + DRAIN_SECONDS, DRAIN_BYTES
    while left > 0 and (wait := until - time.monotonic()) > 0:
        try:
            chunk = await asyncio.wait_for(anext(stream), wait)
        except (TimeoutError, StopAsyncIteration, ClientGone, ApiError):
            return
        left -= len(chunk)
