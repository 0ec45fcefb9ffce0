"""From blocking iterators on threads to the event loop.

Law: one step at a time on a bounded pool, so a slow consumer holds back its own producer only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


async def on_thread(pool: Executor, step: Callable[[], Item]) -> Item:
    """One blocking step on a thread of `pool`."""
    return await asyncio.get_running_loop().run_in_executor(pool, step)


async def on_threads(items: Iterator[Item], pool: Executor) -> AsyncGenerator[Item, None]:
    """Each step of `items` on a thread of `pool`. Waits for the running step when it is cancelled, so that
    whoever closes the iterator's resources never does it under a running step.
    """
    loop = asyncio.get_running_loop()
    while True:
        step = asyncio.ensure_future(loop.run_in_executor(pool, next, items, _END))
        try:
            item = await asyncio.shield(step)
        except asyncio.CancelledError:
            with suppress(Exception):
                await step
            raise
        if item is _END:
            return
        yield item  # type: ignore[misc]  # everything but the mark is an Item
