"""The write that makes something, as the last step of a request.

Law: once begun, it is finished, and so is the request. A client that leaves meanwhile can learn it later: the
audit row is written with it, an `Idempotency-Key` gets its answer, and the log has a line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)
Result = TypeVar("Result")


async def finished(write: Coroutine[Any, Any, Result], made: str) -> Result:
    """The result of a write; a cancellation meanwhile has no effect. `made`: id of what it makes."""
    writing = asyncio.ensure_future(write)
    left = False
    while not writing.done():
        try:
            await asyncio.wait({writing})
        except asyncio.CancelledError:
            left = True
    result = writing.result()
    if left:
        log.warning("%s was made, and its client has left without the answer", made)
    return result
