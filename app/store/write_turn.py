"""Makes the writers of one process write one after the other, in the order in which they came.

Law: a lock of this process. Other processes are held off by the database itself.
"""

from __future__ import annotations

import asyncio

from app.errors import StorageUnavailable

TURN_SECONDS = 30.0
"""The most seconds that a write waits for earlier writes of this process."""


class WriteTurn:
    """Lets one writer of this process write at a time, in order.

    SQLite has one writer. It lets the others try again and again, in no order, until `BUSY_SECONDS` are over:
    a hundred requests that store something at once would tell some clients that another process has locked
    the database.
    """

    def __init__(self, *, alone: bool) -> None:
        self._lock = asyncio.Lock() if alone else None

    async def __aenter__(self) -> None:
        if self._lock is None:
            return
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._lock.acquire()
        except TimeoutError:
            raise StorageUnavailable("is busy") from None

    async def __aexit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()
