"""A client that does not read its answer loses the connection, and its place goes to the next."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.fake_server import serving
from tests.support.server import Server
from tests.support.waiting import slowly, wait_until

pytestmark = pytest.mark.slow

LONG = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning. " * 280, "speed": 0.25}
"""A quarter of an hour: more than all buffers between two processes."""
SHORT = {"model": "tts-1", "voice": "alloy", "input": "Good morning.", "response_format": "pcm"}
PLACES = 2
DEADLINE_SECONDS = 5
"""Long enough for the first sound on a busy machine, and shorter than the whole answer takes."""
END = b"\r\n0\r\n\r\n"
"""The end of a complete answer in chunks (`Transfer-Encoding: chunked`)."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, LIMITS_REQUESTS=str(PLACES), LIMITS_DOWNLOAD_IDLE_SECONDS="5") as running:
        yield running


def asked(server: Server, **body: object) -> socket.socket:
    """Opens a connection, sends a request for speech, and reads nothing."""
    host, port = server.root.removeprefix("http://").split(":")
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((host, int(port)))
    data = json.dumps(LONG | body).encode()
    head = "POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-test\r\n"
    line.sendall(
        f"{head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
    )
    return line


def rest(line: socket.socket) -> bytes:
    """The last bytes before the connection ends."""
    line.settimeout(120)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := line.recv(1 << 20):
            data = (data + piece)[-100:]
    return data


def status(server: Server) -> int:
    with server.client() as client:
        return client.post("/audio/speech", json=SHORT).status_code


@pytest.mark.parametrize(
    "kind", [{"response_format": "pcm"}, {"response_format": "pcm", "stream_format": "sse"}]
)
def test_a_reader_who_stops_loses_the_place(server: Server, kind: dict[str, str]) -> None:
    log = Path(server.settings["LOG"])
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(asked(server, **kind)) for _ in range(PLACES)]
        for line in lines:
            line.settimeout(60)
            assert line.recv(12) == b"HTTP/1.1 200"
        assert status(server) == 429
        wait_until(lambda: status(server) == 200, 60, "a place for the next request")
        # If the test read earlier, the server would not give up this slow reader.
        wait_until(lambda: log.read_text().count("outcome=left") == PLACES, 60, "readers given up")
        assert not any(rest(line).endswith(END) for line in lines)
    assert "Traceback" not in log.read_text()


def test_a_client_that_leaves_with_requests_in_line_stops_the_work(server: Server) -> None:
    """uvicorn tells only the last request that its client has left. The first one would go on to its end,
    and write to a closed connection.
    """
    log = Path(server.settings["LOG"])
    for _ in range(PLACES + 1):
        with asked(server) as line:
            line.settimeout(60)
            line.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            assert line.recv(12) == b"HTTP/1.1 200"
            line.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )  # the connection ends with a reset
        wait_until(lambda: status(server) == 200, 60, "a place for the next request")
    wait_until(lambda: log.read_text().count("outcome=left") == PLACES + 1, 20, "clients that left")
    assert "Traceback" not in log.read_text()


def test_a_reader_who_is_slow_gets_everything(server: Server) -> None:
    body = SHORT | {"input": "Good morning. " * 10}  # slower than the server allows pauses to be
    whole = httpx2.post(f"{server.url}/audio/speech", json=body, headers={"authorization": "Bearer sk-test"})
    with asked(server, **body) as line:
        line.settimeout(60)
        data = slowly(line, END)
    assert len(data) > len(whole.content)


def test_a_deadline_ends_audio_without_its_regular_end(tmp_path: Path) -> None:
    """The client can see that the file is incomplete, and the log does not report it as an error of the
    server.
    """
    times: dict[str, Any] = {
        "LIMITS_REQUEST_SECONDS": str(DEADLINE_SECONDS),
        "LIMITS_DOWNLOAD_IDLE_SECONDS": "60",
    }
    with serving(tmp_path, **times) as server:
        with asked(server, response_format="pcm") as line:
            line.settimeout(60)
            assert line.recv(100)
            time.sleep(DEADLINE_SECONDS + 1)  # reads nothing until then
            assert not rest(line).endswith(END)
        wait_until(lambda: "error=timeout" in (tmp_path / "log").read_text())
        log = (tmp_path / "log").read_text()
        assert "Traceback" not in log
        assert "without completing" not in log
        assert "outcome=cut" in log


def test_a_deadline_is_the_last_event_of_a_stream(tmp_path: Path) -> None:
    events = events_until(tmp_path, DEADLINE_SECONDS) or events_until(tmp_path, 5 * DEADLINE_SECONDS)
    assert json.loads(events[-1].removeprefix("data: "))["error"]["code"] == "timeout"
    assert "Traceback" not in (tmp_path / "log").read_text()


def events_until(folder: Path, seconds: int) -> list[str]:
    """The events of the answer; none if a busy machine makes no sound before the deadline."""
    with serving(folder, LIMITS_REQUEST_SECONDS=str(seconds)) as server:
        body = LONG | {"stream_format": "sse", "response_format": "mp3"}
        with server.client() as client, client.stream("POST", "/audio/speech", json=body) as stream:
            return [line for line in stream.iter_lines() if line.startswith("data: ")]
