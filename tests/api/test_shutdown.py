"""A stop signal lets running requests end."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.conftest import JFK
from tests.support.server import running
from tests.support.sound import decode, silence, wav

pytestmark = pytest.mark.real


def test_a_running_request_ends_and_the_server_stops(storage: Path, tmp_path: Path) -> None:
    # Pauses part the windows: a sentence that comes again within one looks like a loop, and takes long.
    long = wav(np.tile(np.concatenate([decode(JFK.read_bytes()), silence(4)]), 12))
    answers: list[httpx2.Response] = []
    database = f"sqlite:///{tmp_path}/antiphon.db"
    with running(storage, tmp_path / "log", STORAGE_DATABASE_URL=database) as server:

        def post() -> None:
            with server.client() as client:
                answers.append(
                    client.post("/audio/transcriptions", data={"model": "whisper-1"}, files={"file": long})
                )

        thread = threading.Thread(target=post)
        thread.start()
        time.sleep(1.0)
        assert not answers
        server.process.send_signal(signal.SIGTERM)
        thread.join(60)
        assert server.process.wait(30) in (0, -signal.SIGTERM)
    assert [answer.status_code for answer in answers] == [200]
    assert answers[0].json()["text"].lower().count("fellow americans") == 12
    assert "Traceback" not in (tmp_path / "log").read_text()
