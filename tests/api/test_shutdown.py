"""A shutdown lets running requests end; clients of requests that take longer than the grace period get an
error.
"""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.fake_server import serving
from tests.support.server import Server
from tests.support.sound import tone, wav
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

LONG = wav(tone(170))
"""A recording that is cut into six windows."""


def in_background(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def asked(server: Server, answers: list[httpx2.Response], **fields: str) -> threading.Thread:
    """Posts a long file on a thread, and returns once the server works on it."""

    def post() -> None:
        with server.client() as client:
            data = {"model": "whisper-1", **fields}
            answers.append(client.post("/audio/transcriptions", data=data, files={"file": LONG}))

    thread = in_background(post)
    wait_until(lambda: working(server), what="the server works")
    return thread


def working(server: Server) -> bool:
    with server.client() as client:
        page = client.get(server.root + "/metrics").text
    return any(line.startswith("antiphon_wait_seconds_count") for line in page.splitlines())


def access(folder: Path, path: str) -> str:
    lines = (folder / "log").read_text().splitlines()
    return next(line for line in lines if f"path=/v1{path}" in line)


def test_a_running_request_ends_and_the_server_stops(tmp_path: Path) -> None:
    answers: list[httpx2.Response] = []
    with serving(tmp_path, seconds=0.3) as server:
        thread = asked(server, answers)
        server.process.send_signal(signal.SIGTERM)
        thread.join(60)
        assert server.process.wait(30) in (0, -signal.SIGTERM)
    assert [answer.status_code for answer in answers] == [200]
    assert "word0" in answers[0].json()["text"]
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_request_that_outlasts_the_grace_is_told(tmp_path: Path) -> None:
    answers: list[httpx2.Response] = []
    with serving(tmp_path, seconds=4, SERVER_SHUTDOWN_SECONDS="1") as server:
        thread = asked(server, answers)
        server.process.send_signal(signal.SIGTERM)
        thread.join(60)
        server.process.wait(60)
    (answer,) = answers
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "shutting_down"
    assert answer.headers["retry-after"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert "status=503" in access(tmp_path, "/audio/transcriptions")
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_stream_that_outlasts_the_grace_ends_with_an_error(tmp_path: Path) -> None:
    answers: list[httpx2.Response] = []
    with serving(tmp_path, seconds=4, SERVER_SHUTDOWN_SECONDS="1") as server:
        thread = asked(server, answers, stream="true")
        server.process.send_signal(signal.SIGTERM)
        thread.join(60)
        server.process.wait(60)
    (answer,) = answers
    frames = [line for line in answer.text.split("\n\n") if line.startswith("data: ")]
    assert json.loads(frames[-1].removeprefix("data: "))["error"]["code"] == "shutting_down"
    assert "[DONE]" not in answer.text
    line = access(tmp_path, "/audio/transcriptions")
    assert "status=200" in line
    assert "outcome=cut" in line
    assert "error=shutting_down" in line
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_audio_that_outlasts_the_grace_is_seen_to_be_incomplete(tmp_path: Path) -> None:
    body = {"model": "tts-1", "voice": "alloy", "input": "Good morning. " * 280, "speed": 0.25}
    with serving(tmp_path, SERVER_SHUTDOWN_SECONDS="1") as server, server.client() as client:
        request = client.build_request("POST", "/audio/speech", json=body | {"response_format": "pcm"})
        answer = client.send(request, stream=True)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(httpx2.RemoteProtocolError):
            slowly(answer)
        server.process.wait(60)
    assert "Traceback" not in (tmp_path / "log").read_text()


def slowly(answer: httpx2.Response) -> None:
    """Reads an answer with pauses, so that the server cannot complete it before its grace period ends."""
    pause = threading.Event()
    for _ in answer.iter_bytes(100_000):
        pause.wait(0.05)


def test_an_upload_on_its_way_is_told(tmp_path: Path) -> None:
    with serving(tmp_path, SERVER_SHUTDOWN_SECONDS="1") as server, server.client() as client:
        stop = threading.Event()

        def body() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
            server.process.send_signal(signal.SIGTERM)
            stop.wait(3)
            yield b"whisper-1"

        kind = {"content-type": "multipart/form-data; boundary=x"}
        with pytest.raises(httpx2.HTTPError):
            client.post("/audio/transcriptions", content=body(), headers=kind).raise_for_status()
        server.process.wait(60)
    assert "status=503" in access(tmp_path, "/audio/transcriptions")
    assert "Traceback" not in (tmp_path / "log").read_text()


def connected(server: Server) -> socket.socket:
    host, _, port = server.root.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def everything(line: socket.socket) -> bytes:
    with line, line.makefile("rb") as file:
        return file.read()


ASKED = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"


def test_connections_of_the_last_moment_are_answered(tmp_path: Path) -> None:
    """A proxy has connected, and its request comes when the server begins to stop: on connections that the
    server has accepted, and on some that wait in the kernel.
    """
    with serving(tmp_path) as server:
        lines = [connected(server) for _ in range(20)]
        httpx2.get(f"{server.root}/health/live")  # by now they are accepted
        server.process.send_signal(signal.SIGSTOP)
        lines += [connected(server) for _ in range(20)]
        for line in lines:
            line.sendall(ASKED)
        server.process.send_signal(signal.SIGTERM)
        threading.Event().wait(0.2)  # the server looks ten times a second whether it shall stop
        server.process.send_signal(signal.SIGCONT)
        answers = [everything(line) for line in lines]
        assert server.process.wait(60) in (0, -signal.SIGTERM)
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)


def test_a_connection_that_asks_for_nothing_does_not_hold_the_stop(tmp_path: Path) -> None:
    with (
        serving(tmp_path, SERVER_SHUTDOWN_SECONDS="3600", SERVER_HEADER_SECONDS="300") as server,
        connected(server) as silent,
        connected(server) as began,
    ):
        began.sendall(b"GET /health/li")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) in (0, -signal.SIGTERM)
        assert silent.recv(1) == b""


def test_a_server_that_stops_takes_no_new_connections(tmp_path: Path) -> None:
    """So that a proxy asks the next server at once."""
    answers: list[httpx2.Response] = []
    with serving(tmp_path, seconds=8, SERVER_SHUTDOWN_SECONDS="3600") as server:
        thread = asked(server, answers)
        server.process.send_signal(signal.SIGTERM)

        def refused() -> bool:
            try:
                connected(server).close()
            except ConnectionRefusedError:
                return True
            return False

        wait_until(refused, 60, "connections are refused")
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)  # ends the grace
        thread.join(60)
    assert [answer.status_code for answer in answers] == [503]
