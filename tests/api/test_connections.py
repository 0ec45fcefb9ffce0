"""What clients without a key can do to connections is limited in bytes, number and time, on a real server."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.fake_server import serving
from tests.support.server import KEY, Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

GET = b"GET /health/live HTTP/1.1\r\nHost: a\r\n"
SPEECH = b"POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\n" % KEY.encode()
UPLOAD = b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
GROWTH = 50 * 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    times: dict[str, Any] = {
        "SERVER_HEADER_SECONDS": "1",
        "SERVER_IDLE_SECONDS": "1",
        "LIMITS_DOWNLOAD_IDLE_SECONDS": "1",
    }
    with serving(tmp_path_factory.mktemp("connections"), SERVER_CONNECTIONS="60", **times) as running:
        yield running


@pytest.fixture(autouse=True)
def unharmed(server: Server) -> Iterator[None]:
    before = server.peak
    yield
    assert httpx2.get(server.root + "/health/live", timeout=5).status_code == 200
    assert server.peak - before < GROWTH
    assert "Traceback" not in Path(server.settings["LOG"]).read_text()


def connected(server: Server) -> socket.socket:
    host, port = server.root.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answer(line: socket.socket, until: float = 20) -> bytes:
    """All bytes of the connection until the server ends it."""
    line.settimeout(until)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := line.recv(65_536):
            data += piece
    return data


def said(server: Server, *pieces: bytes) -> bytes:
    with connected(server) as line:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                line.sendall(piece)
        return answer(line)


def refused(data: bytes, status: int) -> dict[str, str]:
    """The error envelope of the last answer in `data`."""
    head, _, body = data[data.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), data
    assert b"x-request-id: req_" in head
    error: dict[str, str] = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize(
    "pieces",
    [
        [GET + b"X: ", *[b"a" * 65_536] * 40],
        [GET, *[b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(2000)]],
        [GET, *[b"X: 1\r\n"] * 20_000],
        [GET + b"X: 1\r\n" * 101 + b"\r\n"],
        [GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n"],
        [b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"],
        [b"GET /health/live?", *[b"a" * 65_536] * 40],
    ],
)
def test_a_head_beyond_the_bounds_is_431(server: Server, pieces: list[bytes]) -> None:
    assert refused(said(server, *pieces), 431)["code"] == "headers_too_large"


def test_a_head_within_the_bounds_is_read(server: Server) -> None:
    head = GET + b"X: " + b"a" * 60_000 + b"\r\n" + b"Y: 1\r\n" * 90 + b"\r\n"
    assert said(server, head).startswith(b"HTTP/1.1 200")
    assert said(server, *[head[i : i + 1000] for i in range(0, len(head), 1000)]).startswith(b"HTTP/1.1 200")


def test_trailers_and_chunk_extensions_are_bounded_and_no_headers(server: Server) -> None:
    start = b"POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\n" + CHUNKED
    key = b"POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-test\r\n" + CHUNKED
    for begun in (start, key):
        for endless in ([b"0\r\nX: ", *[b"a" * 65_536] * 40], [b"1;x=", *[b"a" * 65_536] * 40]):
            data = said(server, begun, *endless)
            assert not data or b"HTTP/1.1 4" in data
    late = said(server, start, b"0\r\nAuthorization: Bearer sk-test\r\n\r\n")
    assert late.startswith(b"HTTP/1.1 401")


def test_slow_heads_are_answered_408_and_silent_connections_closed(server: Server) -> None:
    with connected(server) as slow, connected(server) as silent, connected(server) as blank:
        slow.sendall(GET)
        blank.sendall(b"\r\n")
        began = time.monotonic()
        assert refused(answer(slow), 408)["code"] == "timeout"
        assert answer(silent) == answer(blank) == b""
        assert time.monotonic() - began < 15


def test_a_head_that_drips_is_ended(server: Server) -> None:
    with connected(server) as line:
        line.sendall(GET)
        line.settimeout(0.2)
        data = b""
        for _ in range(50):
            with contextlib.suppress(TimeoutError, ConnectionError):
                line.sendall(b"X: 1\r\n")
                data += line.recv(1000)
                if not data:
                    break
            if b"408" in data:
                break
        assert b"HTTP/1.1 408" in data


@pytest.mark.parametrize("kept", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_a_body_that_drips_behind_its_answer_is_ended(server: Server, kept: bytes) -> None:
    with connected(server) as line:
        line.sendall(UPLOAD + kept + b"Content-Length: 1000000\r\n\r\n")
        line.settimeout(0.2)
        data, ended = b"", False
        for _ in range(50):
            try:
                line.sendall(b"x")
                data += (piece := line.recv(1000))
                ended = not piece
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            if ended:
                break
        assert data.startswith(b"HTTP/1.1 401")
        assert ended


@pytest.mark.parametrize(
    ("head", "status"),
    [(UPLOAD, 401), (SPEECH, 400), (SPEECH.replace(b"speech", b"nothing"), 404)],
    ids=["without a key", "of another type", "to nowhere"],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_who_closes_after_a_large_body_gets_the_answer(
    server: Server, head: bytes, status: int, chunked: bool
) -> None:
    """Before this was fixed, the kernel reset the connection, as it does when a socket with unread bytes is
    closed, so that sending failed.
    """
    size = 5_000_000
    body = b"x" * size
    if chunked:
        head, body = head + CHUNKED[:-2], b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    else:
        head += b"Content-Length: %d\r\n" % size
    with connected(server) as line:
        line.sendall(head + b"Connection: close\r\n\r\n" + body)
        refused(answer(line), status)


def test_a_connection_without_requests_is_closed(server: Server) -> None:
    with connected(server) as line:
        line.sendall(GET + b"\r\n")
        assert answer(line).startswith(b"HTTP/1.1 200")


def test_more_connections_than_allowed_replace_the_oldest_that_wait(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(connected(server)) for _ in range(200)]
        assert httpx2.get(server.root + "/health/live", timeout=5).status_code == 200
        lines[0].settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert lines[0].recv(10) == b""


def test_pipelined_requests_are_answered_in_order_and_bounded(server: Server) -> None:
    data = said(server, b"".join(b"GET /v1/%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(30)))
    assert data.count(b"HTTP/1.1 401") == 30
    many = said(server, (GET + b"\r\n") * 5000)
    assert many.count(b"HTTP/1.1 200") <= 70


HOSTILE = {
    "HTTP/0.9": b"GET /health/live\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "NUL in a header": GET + b"X: a\0b\r\n\r\n",
    "NUL in the path": b"GET /health\0/live HTTP/1.1\r\nHost: a\r\n\r\n",
    "a folded header": GET + b"X: a\r\n b\r\n\r\n",
    "a bare line feed": b"GET /health/live HTTP/1.1\nHost: a\n\n",
    "two lengths": UPLOAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length and chunks": UPLOAD + b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n",
    "a negative length": UPLOAD + b"Content-Length: -1\r\n\r\n",
    "a length that is no number": UPLOAD + b"Content-Length: many\r\n\r\n",
    "an endless length": UPLOAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "a bad chunk size": UPLOAD + CHUNKED + b"zz\r\n",
    "an overflowing chunk size": UPLOAD + CHUNKED + b"f" * 17 + b"\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an unknown method": b"BREW /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
    "an upgrade to something unknown": GET + b"Connection: upgrade\r\nUpgrade: tea\r\n\r\n",
    "a WebSocket": GET + b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n",
    "Expect": UPLOAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    "an absolute address": b"GET http://a/health/live HTTP/1.1\r\nHost: a\r\n\r\n",
    "no Host": b"GET /health/live HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: b\r\n\r\n",
    "HTTP/1.0": b"GET /health/live HTTP/1.0\r\n\r\n",
    "noise": bytes(range(256)) * 8,
    "only line breaks": b"\r\n" * 1000,
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
}


JAVA = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n"
"""The headers with which Java's HTTP client asks for HTTP/2 in its first request on a connection."""
WISHES = [
    JAVA,
    b"Upgrade: tea\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n",
]


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_behind_an_unknown_upgrade_is_the_body(
    server: Server, wish: bytes, apart: bool, chunked: bool
) -> None:
    """Otherwise the body would be lost, or parsed as another request, which no proxy has seen."""
    body = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    size = b"Content-Length: %d\r\n\r\n" % len(body)
    data = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else size + body
    head = SPEECH + wish
    last = GET + b"Connection: close\r\n\r\n"
    with connected(server) as line:
        line.sendall(head + data[: -len(body)] if apart else head + data + last)
        if apart:
            time.sleep(0.1)
            line.sendall(data[-len(body) :] + last)
        told = answer(line)
    statuses = [int(part[:3]) for part in told.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [400, 200], told
    assert b'"invalid_json"' in told
    assert b'{"status":"live"' in told


def test_a_speech_request_with_an_upgrade_is_spoken(server: Server) -> None:
    body = b'{"model":"tts-1","input":"Hello.","voice":"alloy","response_format":"pcm","stream":false}'
    head = SPEECH + JAVA + b"Content-Length: %d\r\n\r\n" % len(body)
    told = said(server, head, body, GET + b"Connection: close\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 200 ")
    assert b'{"status":"live"' in told


def test_many_requests_that_ask_for_an_upgrade_are_answered_in_order(server: Server) -> None:
    told = said(server, (GET + JAVA + b"\r\n") * 40 + GET + b"Connection: close\r\n\r\n")
    assert told.count(b"HTTP/1.1 200 ") == 41


@pytest.mark.parametrize("name", HOSTILE)
def test_odd_requests_get_an_answer_or_an_end_in_time(server: Server, name: str) -> None:
    began = time.monotonic()
    data = said(server, HOSTILE[name])
    assert time.monotonic() - began < 15
    statuses = [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]
    assert all(status < 500 for status in statuses), data
    if statuses and statuses[-1] == 400:
        refused(data, 400)


def test_two_requests_in_one_are_not_smuggled(server: Server) -> None:
    inner = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    data = said(
        server, UPLOAD + b"Content-Length: %d\r\n" % (len(inner) + 5) + CHUNKED + b"0\r\n\r\n" + inner
    )
    assert b'"live"' not in data


def test_a_refused_head_is_a_line_of_the_log(server: Server) -> None:
    refused(said(server, GET + b"X: y\r\n" * 1000 + b"\r\n"), 431)
    log = Path(server.settings["LOG"])
    wait_until(lambda: "no request: The request has more than" in log.read_text())
