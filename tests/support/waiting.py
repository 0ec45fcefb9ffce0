"""Bounded waits: a test that waits for something fails with a sentence, and never hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

STEP_SECONDS = 0.01


async def until(condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Returns once `condition` is true. Raises `AssertionError` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(_late(condition, seconds, what))
        await asyncio.sleep(STEP_SECONDS)


def wait_until(condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """As `until`, on a thread that may block."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(_late(condition, seconds, what))
        time.sleep(STEP_SECONDS)


def _late(condition: Callable[[], object], seconds: float, what: str) -> str:
    name = what or getattr(condition, "__qualname__", "the condition")
    return f"{name} did not become true within {seconds:g} seconds"
