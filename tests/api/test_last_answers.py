"""What a client sends behind the last answer of a connection: it is dropped, and nobody else notices."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.fake_server import serving
from tests.support.server import Server

pytestmark = pytest.mark.slow

HEADER_SECONDS = 1
OLD = b"GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
"""Answered with `connection: close`, though the client would go on."""
NEXT = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n"
UPLOAD = b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
BEHIND = {
    "half a head": OLD + NEXT,
    "a whole head": OLD + NEXT + b"\r\n",
    "half a body": OLD + b"POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
    "noise": OLD + b"\0\0\0\0",
    "a bad chunk": UPLOAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n",
    "a request behind a refused body": UPLOAD + b"Content-Length: 3\r\n\r\nabc" + NEXT + b"\r\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("last"), SERVER_HEADER_SECONDS=str(HEADER_SECONDS)) as running:
        yield running


def connected(server: Server) -> socket.socket:
    host, port = server.root.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def everything(line: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := line.recv(65_536):
            data += piece
    return data


def test_what_comes_behind_the_last_answer_is_dropped(server: Server) -> None:
    """Half a head ended the server: its late refusal was written behind the end of what is sent."""
    with contextlib.ExitStack() as stack:
        lines = {kind: stack.enter_context(connected(server)) for kind in BEHIND}
        for kind, line in lines.items():
            line.sendall(BEHIND[kind])
        for kind, line in lines.items():
            assert everything(line).count(b"HTTP/1.1 ") == 1, kind
        time.sleep(HEADER_SECONDS + 2)  # the clients stay, until the server's patience ends
        assert server.process.poll() is None
    assert httpx2.get(server.root + "/health/live", timeout=20).status_code == 200
    assert "Traceback" not in Path(server.settings["LOG"]).read_text()
