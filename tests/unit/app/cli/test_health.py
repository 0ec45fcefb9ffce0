"""`antiphon health`: one sentence and an exit status, from the server at the settings' address and port."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.cli.test_help import HEAVY, loaded
from tests.support.command import Command

LIVE = {"status": "live"}


@contextmanager
def answering(ready: Any, status: int = 200) -> Iterator[dict[str, str]]:
    """The settings of a server that answers /health/ready with `ready`."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = LIVE if self.path == "/health/live" else ready
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(200 if self.path == "/health/live" else status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield {"SERVER_PORT": str(server.server_port)}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104 - asked, not bound
def test_a_ready_server_is_zero(antiphon: Command, host: str) -> None:
    with answering({"status": "ready"}) as settings:
        done = antiphon("health", settings=settings | {"SERVER_HOST": host})
    assert done.code == 0
    assert done.told.startswith("The server at ")
    assert done.told.endswith("is ready.")


def test_problems_are_told_and_the_process_may_be_live_all_the_same(antiphon: Command) -> None:
    ill = {"status": "not ready", "problems": {"database": "It is\x1b gone."}}
    with answering(ill, 503) as settings:
        done = antiphon("health", settings=settings)
        live = antiphon("health", "--live", settings=settings)
    assert done.code == 1
    assert "is not ready. database: It is\\x1b gone." in done.err
    assert live.code == 0


def test_doctor_names_models_whose_process_crashed(antiphon: Command) -> None:
    crashed = {"kokoro-82m": "its process ended again and again: its process was ended by SIGSEGV"}
    with answering({"status": "ready", "crashed_models": crashed}) as settings:
        done = antiphon("doctor", settings=settings)
        ready = antiphon("health", settings=settings)
    assert "is ready, but not all of its models: kokoro-82m its process ended again and again" in done.told
    assert ready.code == 0


@pytest.mark.parametrize("odd", [b"<html>", [], {}, {"problems": 3}, {"status": 5}, {"status": "x"}])
def test_another_program_on_the_port_is_told(antiphon: Command, odd: object) -> None:
    with answering(odd) as settings:
        done = antiphon("health", settings=settings)
    assert done.code == 1
    assert "what answers is not Antiphon" in done.err
    assert len(done.err.splitlines()) == 1


def test_nobody_there_is_one(antiphon: Command) -> None:
    done = antiphon("health", settings={"SERVER_PORT": "1"})
    assert done.code == 1
    assert "No server answers at 127.0.0.1 port 1" in done.err


def test_it_starts_light() -> None:
    modules = loaded("health", "--timeout", "0.1", ANTIPHON_SERVER_PORT="1")
    assert not modules & (HEAVY - {"pydantic"})
