"""Waits with a limit: a test that waits for something fails with a message, and never hangs.

Law: a loop that sleeps stands here; the few others are named, with their reasons, in
`tests/architecture/test_tests.py`. A test that nothing happens (`stays`) can miss a fault on a slow machine,
but it never fails without one.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable

STEP_SECONDS = 0.01
SHORT_SECONDS = 0.2
"""Tests that expect something not to happen wait for so many seconds."""


async def until(
    condition: Callable[[], object | Awaitable[object]], seconds: float = 10.0, what: str = ""
) -> None:
    """Returns once `condition`, a function or a coroutine function, is true. Raises `AssertionError` after
    `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not await _value(condition):
        if time.monotonic() > deadline:
            raise AssertionError(_late(condition, seconds, what))
        await asyncio.sleep(STEP_SECONDS)


def wait_until(condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """The same as `until`, on a thread that may block."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(_late(condition, seconds, what))
        time.sleep(STEP_SECONDS)


async def stays(condition: Callable[[], object], seconds: float = SHORT_SECONDS) -> None:
    """Raises `AssertionError` if `condition` becomes false within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"{_name(condition)} did not stay true"
        await asyncio.sleep(STEP_SECONDS)


def keeps(condition: Callable[[], object], seconds: float = SHORT_SECONDS) -> None:
    """The same as `stays`, on a thread that may block."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), f"{_name(condition)} did not stay true"
        time.sleep(STEP_SECONDS)


async def ticks(seconds: float) -> AsyncIterator[int]:
    """Yields 0, 1, 2 ... with a pause of `seconds` before each number, until the reader is cancelled."""
    count = 0
    while True:
        await asyncio.sleep(seconds)
        yield count
        count += 1


async def rounds(count: int) -> None:
    """Lets every other task run `count` times."""
    for _ in range(count):
        await asyncio.sleep(0)


def slowly(line: socket.socket, end: bytes) -> bytes:
    """Reads the text of the connection up to `end`, in small pieces with a pause after each."""
    data = b""
    while not data.endswith(end):
        piece = line.recv(100_000)
        assert piece, "the connection was closed before the end"
        data += piece
        time.sleep(5 * STEP_SECONDS)
    return data


async def _value(condition: Callable[[], object | Awaitable[object]]) -> object:
    value = condition()
    return await value if inspect.isawaitable(value) else value


def _late(condition: Callable[..., object], seconds: float, what: str) -> str:
    return f"{what or _name(condition)} did not become true within {seconds:g} seconds"


def _name(condition: Callable[..., object]) -> str:
    return str(getattr(condition, "__qualname__", "the condition"))
