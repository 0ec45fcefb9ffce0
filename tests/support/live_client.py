"""A client of live sessions for tests: it sends and receives events, and every wait has a limit."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.server import KEY, Server

COMPLETED = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"
DELTA = "conversation.item.input_audio_transcription.delta"
CREATED, UPDATED = "session.created", "session.updated"
Event = dict[str, Any]


def opened(server: Server, query: str = "", key: str | None = KEY, **options: Any) -> ClientConnection:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = server.url.replace("http", "ws", 1) + "/realtime" + query
    socket: ClientConnection = connect(url, additional_headers=headers, proxy=None, **options)
    return socket


def refused(server: Server, query: str = "", key: str | None = KEY, **options: Any) -> tuple[int, Event]:
    with pytest.raises(InvalidStatus) as caught:
        opened(server, query, key, **options)
    response = caught.value.response
    assert response.headers["x-request-id"]
    error: Event = json.loads(response.body or b"")["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error


def until(socket: ClientConnection, kind: str) -> list[Event]:
    """All events up to the first of that kind."""
    events: list[Event] = []
    deadline = time.monotonic() + 60
    while not events or events[-1]["type"] != kind:
        assert time.monotonic() < deadline, events
        events.append(json.loads(socket.recv(timeout=30)))
    return events


def say(socket: ClientConnection, event: Event) -> None:
    socket.send(json.dumps(event))


def update(socket: ClientConnection, **audio_input: Any) -> Event:
    say(
        socket,
        {"type": "session.update", "session": {"type": "transcription", "audio": {"input": audio_input}}},
    )
    return until(socket, UPDATED)[-1]["session"]  # type: ignore[no-any-return]


def append(socket: ClientConnection, data: bytes) -> None:
    for at in range(0, len(data), 16_000):
        audio = base64.b64encode(data[at : at + 16_000]).decode()
        say(socket, {"type": "input_audio_buffer.append", "audio": audio})


WIDE: Event = {"type": "audio/pcm", "rate": 16_000}


def closing_code(socket: ClientConnection, seconds: float = 30) -> int:
    """Reads everything that is left, and gives the code with which the server closes."""
    with pytest.raises(ConnectionClosed) as caught:
        _read_all(socket, time.monotonic() + seconds)
    assert caught.value.rcvd, "the connection ended without a close frame"
    return caught.value.rcvd.code


def _read_all(socket: ClientConnection, deadline: float) -> None:
    while time.monotonic() < deadline:
        socket.recv(timeout=max(deadline - time.monotonic(), 0.01))


def can_open(server: Server) -> bool:
    """Whether the server accepts one more session."""
    try:
        with opened(server):
            return True
    except InvalidStatus:
        return False
