"""Whatever fails or is cancelled on the way, every resource of an answer is given back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any, cast

import pytest
from fastapi import Request

from app.api import answer_lifetime, event_stream
from app.api.answer_lifetime import LiveResponse, ResponseCut, opened_in, while_connected
from app.api.error_envelope import ClientGone
from app.api.event_stream import EventStream
from app.errors import InvalidValue, RequestTimedOut
from tests.support.waiting import until

Message = dict[str, Any]


class Client:
    """The other end of an answer: it can stop reading, and leave."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.left = asyncio.Event()
        self.cuts = 0
        self.blocked = False

    async def send(self, message: Any) -> None:
        self.blocked = not self.reads.is_set()
        await self.reads.wait()
        self.messages.append(message)
        await asyncio.sleep(0.001)

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    def scope(self) -> dict[str, Any]:
        def cut() -> None:
            self.cuts += 1

        return {"type": "http", "extensions": {answer_lifetime.CUT: {"cut": cut}}}


class Resource:
    def __init__(self) -> None:
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1


class Stubborn:
    """Chunks whose `aclose` fails."""

    def __aiter__(self) -> Stubborn:
        return self

    async def __anext__(self) -> bytes:
        return b"a"

    async def aclose(self) -> None:
        raise RuntimeError("cannot be closed")


async def of(resource: Resource) -> AsyncExitStack:
    stack = AsyncExitStack()
    stack.push_async_callback(resource.aclose)
    return stack


async def answered(response: LiveResponse, client: Client) -> None:
    async with asyncio.timeout(10):
        await response(client.scope(), client.receive, client.send)


async def test_resources_are_closed_although_the_chunks_cannot_be() -> None:
    client, resource, chunks = Client(), Resource(), cast("AsyncGenerator[bytes, None]", Stubborn())
    answer = asyncio.create_task(answered(LiveResponse(chunks, await of(resource), "audio/mpeg"), client))
    await until(lambda: client.body.startswith(b"a"))
    client.left.set()
    with pytest.raises(RuntimeError, match="cannot be closed"):
        await answer
    assert resource.closed == 1


async def test_a_client_that_leaves_a_blocked_keep_alive_frees_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The keep-alive waits for a client that does not read, while a step of the generator is running."""
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.01)
    running = asyncio.Event()

    async def frames() -> AsyncGenerator[bytes, None]:
        yield b"data: 1\n\n"
        running.set()
        await asyncio.sleep(60)
        yield b"never"

    client, resource = Client(), Resource()
    answer = asyncio.create_task(answered(EventStream(frames(), await of(resource)), client))
    await running.wait()
    client.reads.clear()
    await until(lambda: client.blocked)
    client.left.set()
    await answer
    assert resource.closed == 1


async def test_a_caller_that_is_cancelled_stays_cancelled() -> None:
    """Also while its tasks are being stopped; and they have ended before anything else is closed."""
    ended = False

    async def slow_to_stop() -> None:
        nonlocal ended
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            ended = True
            raise

    task = asyncio.create_task(slow_to_stop())
    await asyncio.sleep(0)
    stopping = asyncio.create_task(answer_lifetime.stop_tasks(task))
    await until(task.cancelling)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert ended


async def test_what_was_opened_for_a_client_that_left_is_closed() -> None:
    """Opening may succeed in the very moment in which it is cancelled."""
    resource, client = Resource(), Client()

    async def opening() -> Resource:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return resource

    request = Request({"type": "http", "headers": []}, client.receive)
    client.left.set()
    with pytest.raises(ClientGone):
        async with AsyncExitStack() as stack:
            await while_connected(request, opened_in(stack, opening()))
    assert resource.closed == 1


async def failing() -> AsyncGenerator[bytes, None]:
    yield b"data: 1\n\n"
    raise InvalidValue("It cannot.")


async def test_events_end_with_the_error() -> None:
    client, resource = Client(), Resource()
    await answered(EventStream(failing(), await of(resource)), client)
    assert b'"message":"It cannot."' in client.body.rpartition(b"data: ")[2]
    assert client.messages[-1]["more_body"] is False
    assert (client.cuts, resource.closed) == (0, 1)


async def test_audio_is_cut() -> None:
    client, resource = Client(), Resource()
    await answered(LiveResponse(failing(), await of(resource), "audio/mpeg"), client)
    assert client.messages[-1]["more_body"] is True
    assert (client.cuts, resource.closed) == (1, 1)


async def test_a_foreign_server_is_told_by_an_exception() -> None:
    client, resource = Client(), Resource()
    response = LiveResponse(failing(), await of(resource), "audio/mpeg")
    with pytest.raises(ResponseCut):
        await response({"type": "http"}, client.receive, client.send)
    assert resource.closed == 1


@pytest.mark.parametrize("kind", [EventStream, LiveResponse])
async def test_a_client_that_does_not_read_is_held_to_the_deadline(
    kind: type[LiveResponse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_lifetime, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(event_stream, "FAREWELL_SECONDS", 0.01)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"data: 1\n\n"

    client, resource = Client(), Resource()
    extra = {} if kind is EventStream else {"media_type": "audio/mpeg"}
    response = kind(endless(), await of(resource), deadline=time.monotonic() + 0.05, **extra)  # type: ignore[arg-type]
    client.reads.clear()
    await answered(response, client)
    assert (client.cuts, resource.closed) == (1, 1)


def test_the_deadline_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    assert answer_lifetime._as_api_error(RequestTimedOut())
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
