"""How much of the event loop and of memory a WebSocket connection takes, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from app.api import websocket_connections
from app.api.websocket_connections import BURST_BYTES, MOST_FRAGMENTS, REST, TOGETHER_SECONDS, Socket
from tests.support.waiting import ticks, until

HEAD = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
NO_MASK = bytes(4)
TEXT, PING = b"\x81\x80" + NO_MASK, b"\x89\x80" + NO_MASK
NOT_VALID = b"\xf1\x80" + NO_MASK
PER_TURN = 2_000
"""The most frames of one turn of the event loop: some 10 ms of CPU time."""


class Wire(asyncio.Transport):
    """A transport whose other side reads everything."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = True
        self.closed = False
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def is_reading(self) -> bool:
        return self.reads

    def pause_reading(self) -> None:
        assert not self.closed
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.closed
        self.reads = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close


def message(text: str) -> bytes:
    return bytes([0x81, 0x80 + len(text)]) + NO_MASK + text.encode()


class Visitor:
    """A connection to the server, and the messages that its application has received."""

    def __init__(self, **options: Any) -> None:
        self.wire = Wire()
        self.messages: list[str] = []
        self.receives = asyncio.Event()
        """Unset: the application receives nothing for now."""
        self.receives.set()
        config = Config(self._app, interface="asgi3", log_config=None, **options)
        config.load()
        self.socket = Socket(config=config, server_state=ServerState(), app_state={})

    async def _app(
        self, _: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while not self.messages or self.messages[-1] != "websocket.disconnect":
            await self.receives.wait()
            self.messages.append((await receive())["type"])


@asynccontextmanager
async def visiting(**options: Any) -> AsyncIterator[Visitor]:
    """`options`: of uvicorn."""
    visitor = Visitor(**options)
    visitor.socket.connection_made(visitor.wire)
    visitor.socket.data_received(HEAD)
    await until(lambda: visitor.socket.handshake_complete)
    try:
        yield visitor
    finally:
        visitor.socket.connection_lost(None)
        await until(lambda: not visitor.socket.tasks)


async def test_a_read_of_many_frames_is_parsed_and_received_in_turns() -> None:
    async with visiting() as visitor:
        visitor.socket.data_received(TEXT * 40_000)
        assert visitor.socket.queue.qsize() <= PER_TURN
        assert not visitor.wire.is_reading()
        seen = most = 0
        async for _ in ticks(0):
            seen, most = len(visitor.messages), max(most, len(visitor.messages) - seen)
            assert not visitor.wire.is_reading() or seen + visitor.socket.queue.qsize() == 40_000
            if seen == 40_000:
                break
        assert most <= 2
        await until(visitor.wire.is_reading)


async def test_what_comes_in_meanwhile_keeps_its_order() -> None:
    async with visiting() as visitor:
        data = TEXT * 5_000
        for at in range(0, len(data), 9_001):
            visitor.socket.data_received(data[at : at + 9_001])
        await until(lambda: len(visitor.messages) == 5_000)
        assert set(visitor.messages) == {"websocket.receive"}
        await until(visitor.wire.is_reading)


async def test_pings_of_one_read_are_answered_in_turns() -> None:
    async with visiting() as visitor:
        before = len(visitor.wire.written)
        visitor.socket.data_received(PING * 40_000)
        assert len(visitor.wire.written) - before <= 2 * PER_TURN
        assert not visitor.wire.is_reading()
        await until(lambda: len(visitor.wire.written) - before == 2 * 40_000)
        assert visitor.wire.is_reading()


async def test_nothing_more_is_read_while_something_is_left_to_parse() -> None:
    """This holds even if the application has received every message so far."""
    async with visiting() as visitor:
        before = len(visitor.wire.written)
        visitor.socket.data_received((TEXT + PING * 1_500) * 20)
        async for _ in ticks(0):
            if len(visitor.wire.written) - before == 2 * 1_500 * 20:
                break
            assert not visitor.wire.is_reading()
        await until(lambda: visitor.wire.is_reading() and len(visitor.messages) == 20)


@pytest.mark.parametrize("frame", [NOT_VALID, b"\x88\x80" + NO_MASK], ids=["not valid", "close"])
async def test_nothing_is_parsed_after_the_last_frame(frame: bytes) -> None:
    async with visiting() as visitor:
        visitor.socket.data_received(frame + TEXT * 40_000)
        await until(lambda: "websocket.disconnect" in visitor.messages)
        assert visitor.messages == ["websocket.disconnect"]


async def test_messages_of_too_many_frames_end_the_connection() -> None:
    async with visiting() as visitor:
        visitor.socket.data_received(b"\x01\x80" + NO_MASK + (b"\x00\x80" + NO_MASK) * MOST_FRAGMENTS)
        await until(lambda: visitor.wire.closed)


def rests(visitor: Visitor, seconds: float) -> None:
    """Makes the connection wait `seconds` before each further read, as a live session does in silence."""
    extensions: dict[str, Any] = {**visitor.socket.scope["extensions"]}
    extensions[REST]["rest"](seconds)


async def test_a_rest_delays_the_next_read_and_ends() -> None:
    async with visiting() as visitor:
        rests(visitor, 0.05)
        for count in (3, 6, 9):
            visitor.socket.data_received(message("a") * 3)
            await until(lambda: len(visitor.messages) == count)  # noqa: B023 - used at once
            assert not visitor.wire.is_reading()
            await until(visitor.wire.is_reading)


async def test_sockets_that_rest_are_read_together() -> None:
    async with visiting() as one, visiting() as other:
        for visitor in (one, other):
            rests(visitor, 2.5 * TOGETHER_SECONDS)
            visitor.socket.data_received(message("a"))
            await until(lambda: visitor.messages != [])  # noqa: B023 - used at once
        due = [visitor.socket._waking.when() for visitor in (one, other) if visitor.socket._waking]
        steps = [when / TOGETHER_SECONDS for when in due]
        assert len(steps) == 2
        assert steps == pytest.approx([round(step) for step in steps], abs=1e-3)
        await until(lambda: one.wire.is_reading() and other.wire.is_reading())


async def test_a_rest_that_is_called_off_ends_at_once() -> None:
    async with visiting() as visitor:
        rests(visitor, 3600)
        visitor.socket.data_received(message("a"))
        await until(lambda: visitor.messages != [])
        assert not visitor.wire.is_reading()
        rests(visitor, 0)
        assert visitor.wire.is_reading()


async def test_a_client_that_sends_faster_than_people_speak_is_read_at_once() -> None:
    async with visiting() as visitor:
        rests(visitor, 3600)
        count = BURST_BYTES // 107 + 1
        visitor.socket.data_received(message("a" * 101) * count)
        await until(lambda: len(visitor.messages) == count)
        await until(visitor.wire.is_reading)


async def test_a_connection_that_ends_while_it_rests_is_not_read_again() -> None:
    async with visiting() as visitor:
        rests(visitor, 3600)
        visitor.socket.data_received(message("a"))
        await until(lambda: visitor.messages != [])
        visitor.wire.closed = True
        rests(visitor, 0)
        assert not visitor.wire.is_reading()


PINGS = {"ws_ping_interval": 0.02, "ws_ping_timeout": 0.02}


@asynccontextmanager
async def held_back(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Visitor]:
    """A client whose sound was not read for longer than it may take to answer the ping that it was sent."""
    monkeypatch.setattr(websocket_connections, "CATCH_UP_SECONDS", 0.05)
    async with visiting(**PINGS) as visitor:
        visitor.receives.clear()
        visitor.socket.data_received(message("a") + message("b"))
        await until(lambda: visitor.socket.pending_ping_payload is not None)
        late = visitor.socket.ping_sent_at + 10 * PINGS["ws_ping_timeout"]
        await until(lambda: visitor.socket.loop.time() > late)
        assert not visitor.wire.closed
        assert not visitor.wire.is_reading()
        visitor.receives.set()
        yield visitor


async def test_an_answer_to_a_ping_may_lie_behind_sound_that_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with held_back(monkeypatch) as visitor:
        payload = visitor.socket.pending_ping_payload or b""
        visitor.socket.data_received(b"\x8a\x84" + NO_MASK + payload)
        await until(lambda: visitor.wire.written.count(b"\x89\x04") == 2, what="a further ping")


async def test_a_client_that_was_held_back_and_has_left_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with held_back(monkeypatch) as visitor:
        await until(lambda: visitor.wire.closed)
        assert b"keepalive ping timeout" in visitor.wire.written


@pytest.mark.slow
async def test_a_client_that_sends_and_answers_no_ping_is_ended() -> None:
    async with visiting(**PINGS) as visitor:
        async for _ in ticks(0.005):
            if visitor.wire.closed:
                break
            visitor.socket.data_received(message("a"))
        assert b"keepalive ping timeout" in visitor.wire.written
