"""Gives the blocks of one decoding to several readers.

Law: nothing is decoded twice. A reader may lead the slowest one by a bounded number of seconds, so memory
does not grow with the length of the audio; the leader waits on the event loop, never on a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from engines.types import SAMPLE_RATE, Samples


class SharedBlocks:
    """Gives every block of one source to each of its readers, in order.

    Ask for all readers before the first is iterated. The owner closes this after its readers.
    """

    def __init__(self, blocks: AsyncGenerator[Samples, None], lead: float) -> None:
        """`lead`: the most seconds of sound by which a reader may be ahead of the slowest one."""
        self._blocks = blocks
        self._lead = lead * SAMPLE_RATE
        self._queues: list[deque[Samples]] = []
        self._changed = asyncio.Condition()
        self._pump: asyncio.Task[None] | None = None
        self._ended = False
        self._failure: Exception | None = None

    def reader(self) -> SharedBlocksReader:
        """A new reader, which gets all blocks from the start."""
        queue: deque[Samples] = deque()
        self._queues.append(queue)
        return SharedBlocksReader(self, queue)

    async def aclose(self) -> None:
        """Ends the decoding, and waits for its running step."""
        if self._pump:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        await self._blocks.aclose()

    async def next(self, queue: deque[Samples]) -> Samples | None:
        """The next block for a reader; None at the end."""
        if self._pump is None:
            self._pump = asyncio.create_task(self._decode())
        async with self._changed:
            await self._changed.wait_for(lambda: queue or self._ended)
            if queue:
                block = queue.popleft()
                self._changed.notify_all()
                return block
        if self._failure:
            raise self._failure
        return None

    async def leave(self, queue: deque[Samples]) -> None:
        """Removes a reader, so that the others need not wait for it."""
        async with self._changed:
            # compares by identity, because two empty queues are equal
            self._queues = [other for other in self._queues if other is not queue]
            self._changed.notify_all()

    async def _decode(self) -> None:
        try:
            async with aclosing(self._blocks) as blocks:
                async for block in blocks:
                    async with self._changed:
                        for queue in self._queues:
                            queue.append(block)
                        self._changed.notify_all()
                        await self._changed.wait_for(self._has_room)
        except Exception as failure:  # noqa: BLE001 - each reader raises it after what came before
            self._failure = failure
        finally:
            self._ended = True
            async with self._changed:
                self._changed.notify_all()

    def _has_room(self) -> bool:
        return not self._queues or max(sum(map(len, queue)) for queue in self._queues) <= self._lead


class SharedBlocksReader(AsyncIterator[Samples]):
    """All blocks of one decoding, in order; its owner closes it. Raises what the source raises.

    No generator, because one that nobody has begun runs no `finally` when it is closed: its queue would stay,
    and the others would wait for it without end.
    """

    def __init__(self, shared: SharedBlocks, queue: deque[Samples]) -> None:
        self._shared = shared
        self._queue = queue

    async def __anext__(self) -> Samples:
        block = await self._shared.next(self._queue)
        if block is None:
            raise StopAsyncIteration
        return block

    async def aclose(self) -> None:
        await self._shared.leave(self._queue)
