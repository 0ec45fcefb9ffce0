"""Clients that do not read their events are disconnected, and nobody waits for them."""

from __future__ import annotations

import asyncio

import pytest

from app.api.live_outbox import Outbox, SlowReader
from tests.support.waiting import until


async def test_events_leave_in_order() -> None:
    sent: list[str] = []

    async def send(text: str) -> None:
        await asyncio.sleep(0)
        sent.append(text)

    outbox = Outbox(send, most=1000, seconds=5)
    running = asyncio.create_task(outbox.run())
    for number in range(5):
        outbox.put({"n": number})
    async with asyncio.timeout(5):
        await outbox.emptied()
    running.cancel()
    assert sent == [f'{{"n": {number}}}' for number in range(5)]


async def test_a_client_that_reads_nothing_is_ended_after_its_time() -> None:
    outbox = Outbox(lambda _: asyncio.sleep(3600), most=1000, seconds=0.05)
    outbox.put({"n": 1})
    with pytest.raises(SlowReader):
        async with asyncio.timeout(5):
            await outbox.run()


async def test_a_client_with_too_much_unread_is_ended_at_once() -> None:
    outbox = Outbox(lambda _: asyncio.sleep(3600), most=1000, seconds=3600)
    running = asyncio.create_task(outbox.run())
    outbox.put({"n": 1})
    await asyncio.sleep(0)
    outbox.put({"text": "x" * 2000})
    await until(running.done)
    with pytest.raises(SlowReader):
        running.result()


async def test_more_at_once_than_a_client_may_leave_unread_ends_it_too() -> None:
    sent: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)

    outbox = Outbox(send, most=1000, seconds=5)
    for _ in range(3):
        outbox.put({"text": "x" * 500})
    with pytest.raises(SlowReader):
        async with asyncio.timeout(5):
            await outbox.run()
    assert sent == []
