"""Returns freed memory to the operating system while the server is idle.

Law: never while there is work. The heap of the C library keeps freed memory in each thread's part of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from engines.heap import QUIET_SECONDS, return_free_memory


@dataclass(frozen=True, slots=True)
class Activity:
    """The activity of the server at one moment."""

    begun: int
    """Number of requests with a body since the server started."""
    open: int
    """Number of requests that are not answered yet."""


class IdleMemory:
    """Returns freed memory when the server becomes idle. Use it from the event loop only."""

    def __init__(
        self,
        activity: Callable[[], Activity],
        give_back: Callable[[], None] = return_free_memory,
        *,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        self._activity = activity
        self._give_back = give_back
        self._quiet_seconds = quiet_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        cleaned = before = self._activity().begun
        while True:
            await asyncio.sleep(self._quiet_seconds)
            now = self._activity()
            if now.begun == before != cleaned and not now.open:
                await asyncio.to_thread(self._give_back)
                cleaned = now.begun
            before = now.begun
