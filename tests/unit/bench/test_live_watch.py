"""The process that asks for /health/live while a bench loads the server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.live_watch import watched
from tests.support.waiting import wait_until

ASKED = 2


class Live(BaseHTTPRequestHandler):
    """Counts the questions, and answers each."""

    paths: list[str]

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    paths: list[str] = []
    counting = type("Counting", (Live,), {"paths": paths})
    with ThreadingHTTPServer(("127.0.0.1", 0), counting) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}", paths
        made.shutdown()
        thread.join()


@pytest.mark.slow
def test_every_answer_of_the_time_is_counted(server: tuple[str, list[str]]) -> None:
    root, paths = server
    waits: list[float] = []
    with watched(root, waits):
        wait_until(lambda: len(paths) >= ASKED, 30)
    assert len(waits) == len(paths)
    assert set(paths) == {"/health/live"}
    assert min(waits) > 0
