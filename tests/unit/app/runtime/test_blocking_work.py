"""Steps on work threads: results, order, cancellation, closing."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from app.errors import NotAudio, OutOfMemory
from app.runtime.blocking_work import WorkThreads
from app.runtime.memory_shortage import MemoryShortage
from tests.support.waiting import until

MARK = contextvars.ContextVar("mark", default="none")


@pytest.fixture
async def threads() -> AsyncIterator[WorkThreads]:
    made = WorkThreads(2)
    yield made
    await asyncio.to_thread(made.close)


async def test_a_step_runs_elsewhere_and_knows_its_request(threads: WorkThreads) -> None:
    MARK.set("one")
    here = threading.get_ident()
    assert await threads.run(lambda: (threading.get_ident() != here, MARK.get())) == (True, "one")


async def test_a_failure_of_a_step_is_raised(threads: WorkThreads) -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("two")

    async with aclosing(threads.iterate(broken())) as items:
        assert await anext(items) == 1
        with pytest.raises(ValueError, match="two"):
            await anext(items)


async def test_nothing_is_computed_before_it_is_asked_for(threads: WorkThreads) -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    async with aclosing(threads.iterate(numbers())) as items:
        assert [await anext(items), await anext(items)] == [0, 1]
        assert made == [0, 1]


async def test_cancelling_waits_for_the_running_step(threads: WorkThreads) -> None:
    gate, begun, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        begun.set()
        gate.wait(10)
        done.set()
        yield 1

    async def first() -> int:
        return await anext(threads.iterate(slow()))

    task = asyncio.create_task(first())
    await until(begun.is_set)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


@pytest.mark.parametrize("failure", [MemoryError(), RuntimeError("std::bad_alloc")])
async def test_memory_that_is_refused_to_a_step(failure: Exception) -> None:
    shortage = MemoryShortage()
    threads = WorkThreads(1, shortage)

    def step() -> None:
        raise failure

    with pytest.raises(OutOfMemory):
        await threads.run(step)
    assert shortage.problem
    threads.close()


async def test_a_refusal_that_has_its_own_words_keeps_them(threads: WorkThreads) -> None:
    """A file that makes the decoder ask for terabytes is the client's fault, not a shortage."""

    def step() -> None:
        raise NotAudio("broken") from MemoryError()

    with pytest.raises(NotAudio):
        await threads.run(step)
