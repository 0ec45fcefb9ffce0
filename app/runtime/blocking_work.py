"""The threads on which blocking steps of requests run: decoding, encoding, cutting. Where reader processes
decode uploads, these threads wait for them.

Law: a bounded pool; an iterator does one step at a time, so a slow consumer holds back its own producer only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

from app.errors import ApiError, OutOfMemory
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.reader_pool import ReaderPool
from engines.errors import is_out_of_memory

Item = TypeVar("Item")
_END = object()


class WorkThreads:
    """A fixed number of threads, shared by all requests."""

    def __init__(
        self, count: int, shortage: MemoryShortage | None = None, readers: ReaderPool | None = None
    ) -> None:
        """`shortage`: told when a step runs out of memory. `readers`: the processes that decode uploads."""
        self.readers = readers
        self._shortage = shortage or MemoryShortage()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="work")

    async def run(self, step: Callable[[], Item]) -> Item:
        """The result of one blocking step. Log lines of the step carry the id of the request that asked.

        Raises `OutOfMemory` if memory ran out, and whatever else the step raises.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, step)
        except Exception as failure:
            if isinstance(failure, ApiError) or not is_out_of_memory(failure):
                raise
            self._shortage.note()
            raise OutOfMemory from failure

    async def iterate(self, items: Iterator[Item]) -> AsyncGenerator[Item, None]:
        """The items, each computed on a thread when it is asked for.

        When it is cancelled it waits for the running step, so that the iterator's resources are never closed
        while a step still uses them. Close it with `aclosing`.
        """

        def step() -> Item | object:
            return next(items, _END)

        while True:
            running = asyncio.ensure_future(self.run(step))
            try:
                item = await asyncio.shield(running)
            except asyncio.CancelledError:
                with suppress(Exception):
                    await running
                raise
            if item is _END:
                return
            yield item  # type: ignore[misc]  # everything but the mark is an Item

    def start(self, step: Callable[[], object]) -> None:
        """Begins a step in the background; its result is not needed."""
        self._pool.submit(step)

    def close(self) -> None:
        """Waits for the running steps and drops the waiting ones."""
        self._pool.shutdown(cancel_futures=True)
        if self.readers:
            self.readers.close()
