"""One decoding for two readers: each gets every block once, in order, and neither gets far ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NotAudio
from app.services.steps.shared_blocks import SharedBlocks, SharedBlocksReader
from engines.types import SAMPLE_RATE, Samples
from tests.support.waiting import rounds, stays, until


class Source:
    """A source of numbered blocks of one second, which counts the blocks that it gave."""

    def __init__(self, count: int, failure: Exception | None = None) -> None:
        self.given = 0
        self.closed = False
        self._count = count
        self._failure = failure

    async def blocks(self) -> AsyncGenerator[Samples, None]:
        try:
            for number in range(self._count):
                self.given += 1
                yield np.full(SAMPLE_RATE, number, np.float32)
                await rounds(1)
            if self._failure:
                raise self._failure
        finally:
            self.closed = True


async def read(reader: SharedBlocksReader, pauses: list[int]) -> list[int]:
    found = []
    async with aclosing(reader) as blocks:
        async for block in blocks:
            found.append(int(block[0]))
            await rounds(pauses[len(found) % len(pauses)])
    return found


@given(st.integers(0, 20), st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1))
def test_each_reader_gets_every_block_once(count: int, slow: list[int], fast: list[int]) -> None:
    async def both() -> None:
        source = Source(count)
        async with aclosing(SharedBlocks(source.blocks(), lead=2.0)) as shared:
            one, other = await asyncio.gather(read(shared.reader(), slow), read(shared.reader(), fast))
        assert one == other == list(range(count))
        assert source.given == count
        assert source.closed or not count

    asyncio.run(both())


async def test_a_reader_leads_by_a_bounded_number_of_seconds() -> None:
    source = Source(100)
    async with aclosing(SharedBlocks(source.blocks(), lead=5.0)) as shared:
        slow, fast = shared.reader(), shared.reader()
        reading = asyncio.create_task(read(fast, [0]))
        await until(lambda: source.given >= 6)
        await rounds(50)
        assert source.given == 6  # five blocks of lead, and the one with which the lead was exceeded
        assert await read(slow, [0]) == list(range(100))
        assert await reading == list(range(100))


async def test_a_reader_that_goes_holds_nobody_back() -> None:
    source = Source(50)
    async with aclosing(SharedBlocks(source.blocks(), lead=1.0)) as shared:
        leaver, stayer = shared.reader(), shared.reader()
        await anext(leaver)
        await leaver.aclose()
        assert await read(stayer, [0]) == list(range(50))


async def test_the_later_of_two_empty_readers_goes() -> None:
    async with aclosing(SharedBlocks(Source(5).blocks(), lead=1.0)) as shared:
        stayer, leaver = shared.reader(), shared.reader()
        assert (await anext(leaver))[0] == (await anext(stayer))[0] == 0
        await leaver.aclose()
        assert await read(stayer, [0]) == [1, 2, 3, 4]


async def test_a_reader_that_goes_before_its_first_block_holds_nobody_back() -> None:
    async with aclosing(SharedBlocks(Source(50).blocks(), lead=1.0)) as shared:
        leaver, stayer = shared.reader(), shared.reader()
        await leaver.aclose()
        async with asyncio.timeout(10):
            assert await read(stayer, [0]) == list(range(50))


async def test_a_failure_reaches_every_reader_behind_what_came_before() -> None:
    shared = SharedBlocks(Source(3, NotAudio("broken")).blocks(), lead=9.0)
    async with aclosing(shared):
        readers = [shared.reader(), shared.reader()]
        for reader in readers:
            for number in range(3):
                assert (await anext(reader))[0] == number
            with pytest.raises(NotAudio, match="broken"):
                await anext(reader)


async def test_closing_ends_the_decoding() -> None:
    source = Source(100)
    shared = SharedBlocks(source.blocks(), lead=1.0)
    reader = shared.reader()
    await anext(reader)
    await reader.aclose()
    await shared.aclose()
    assert source.closed
    given = source.given
    await stays(lambda: source.given == given)
