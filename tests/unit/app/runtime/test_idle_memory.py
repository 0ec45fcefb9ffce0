"""Freed memory is returned to the system only when there was work and there is none now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from app.runtime.idle_memory import Activity, IdleMemory
from tests.support.waiting import until

QUIET = 0.01


class House:
    """A fake server that counts how often memory was returned."""

    def __init__(self) -> None:
        self.now = Activity(begun=0, open=0)
        self.looks = self.times = 0

    def activity(self) -> Activity:
        self.looks += 1
        return self.now

    def give_back(self) -> None:
        assert not self.now.open
        self.times += 1

    def gave_back(self, times: int) -> bool:
        return self.times == times

    async def some_looks(self) -> None:
        seen = self.looks
        await until(lambda: self.looks > seen + 3)


@asynccontextmanager
async def watched() -> AsyncIterator[House]:
    house = House()
    memory = IdleMemory(house.activity, house.give_back, quiet_seconds=QUIET)
    memory.start()
    await house.some_looks()
    yield house
    await memory.close()
    seen = house.looks
    await asyncio.sleep(5 * QUIET)
    assert house.looks == seen, "closed"


async def test_once_after_work() -> None:
    async with watched() as house:
        assert house.times == 0, "there was no work"
        for times in (1, 2):
            house.now = Activity(begun=times, open=0)
            await until(partial(house.gave_back, times))
            await house.some_looks()
            assert house.times == times


async def test_not_while_a_request_is_open() -> None:
    async with watched() as house:
        house.now = Activity(begun=1, open=1)
        await house.some_looks()
        assert house.times == 0
        house.now = Activity(begun=1, open=0)
        await until(lambda: house.times == 1)


async def test_closing_what_was_never_started() -> None:
    await IdleMemory(House().activity).close()
