"""The queue of events to one client of a live session.

Law: bounded in bytes and in time. A client that does not read is disconnected, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any


class SlowReader(Exception):
    """The client does not read its events."""


class Outbox:
    """A queue that takes events without waiting and sends them as fast as the client reads."""

    def __init__(self, send: Callable[[str], Awaitable[None]], *, most: int, seconds: float) -> None:
        """`most`: bytes that may wait because the client has not read them. `seconds`: the longest that it
        may take to read one event.
        """
        self._send = send
        self._most = most
        self._seconds = seconds
        self._texts: deque[str] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, event: dict[str, Any]) -> None:
        """Adds an event without waiting. If too many bytes wait, `run` fails."""
        text = json.dumps(event, ensure_ascii=False)
        self._texts.append(text)
        self._bytes += len(text.encode(errors="replace"))
        self._empty.clear()
        self._more.set()

    async def run(self) -> None:
        """Sends events until it is cancelled. Raises `SlowReader`, and any error of sending."""
        while True:
            if self._bytes > self._most:
                raise SlowReader
            if not self._texts:
                self._empty.set()
                self._more.clear()
                await self._more.wait()
                continue
            text = self._texts.popleft()
            sending = asyncio.ensure_future(self._send(text))
            try:
                await self._sent(sending)
            finally:
                sending.cancel()
            self._bytes -= len(text.encode(errors="replace"))

    async def _sent(self, sending: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        while not sending.done():
            self._more.clear()
            more = asyncio.ensure_future(self._more.wait())
            waited: list[asyncio.Future[Any]] = [sending, more]
            try:
                left = max(until - loop.time(), 0)
                await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                more.cancel()
            if not sending.done() and (self._bytes > self._most or loop.time() >= until):
                raise SlowReader
        sending.result()

    async def emptied(self) -> None:
        """Returns when everything has been sent."""
        await self._empty.wait()
