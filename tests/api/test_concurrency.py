"""Many clients of one real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.conftest import JFK
from tests.support.server import Server

pytestmark = pytest.mark.real


def test_many_clients_at_once_hear_the_same(server: Server) -> None:
    clip = JFK.read_bytes()

    def post(_: int) -> httpx2.Response:
        with server.client() as client:
            return client.post("/audio/transcriptions", data={"model": "whisper-1"}, files={"file": clip})

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(post, range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["text"] for answer in answers} == {answers[0].json()["text"]}
