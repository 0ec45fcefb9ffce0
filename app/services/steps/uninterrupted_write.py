"""The write that makes something, as the last step of a request.

Law: once begun, it is finished, and so is the request. A client that leaves meanwhile can learn it later: the
audit row is written with it, an `Idempotency-Key` gets its answer, and the log has a line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

log = logging.getLogger(__name__)
Result = TypeVar("Result")
LAST_WRITE_SECONDS = 4.0
"""Seconds that a write may still take after its request was cancelled, because the client has left or the
server stops: less than a stopping server leaves to last answers."""


async def finished(write: Coroutine[Any, Any, Result], made: str) -> Result:
    """The result of a write. If the caller is cancelled, it may go on for `LAST_WRITE_SECONDS`. `made`:
    id of the thing that it creates.
    """
    writing = asyncio.ensure_future(write)
    try:
        await asyncio.wait({writing})
    except asyncio.CancelledError:
        await _last_seconds(writing)
        result = writing.result()
        log.warning("%s was made, although its request was cancelled", made)
        return result
    return writing.result()


async def _last_seconds(writing: asyncio.Future[Any]) -> None:
    """Waits until the write has ended, normally or cancelled, even if the caller is
    cancelled several times.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + LAST_WRITE_SECONDS
    while not writing.done():
        if clock() >= end:
            writing.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({writing}, timeout=max(end - clock(), 0.1))
