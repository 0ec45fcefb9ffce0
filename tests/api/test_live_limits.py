"""Live sessions at their limits, over real sockets: slow readers, invalid frames, many
sessions, shutdowns.
"""

from __future__ import annotations

import json
import random
import signal
import socket as sockets
import string
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.conftest import JFK
from tests.support.fake_server import serving
from tests.support.live_client import (
    COMPLETED,
    CREATED,
    DELTA,
    WIDE,
    append,
    can_open,
    closing_code,
    opened,
    refused,
    say,
    until,
    update,
)
from tests.support.server import KEY, Server
from tests.support.sound import decode
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

MANY_SESSIONS = 200


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that allows many sessions and logs everything."""
    with serving(
        tmp_path_factory.mktemp("roomy"),
        REALTIME_ENABLED="true",
        REALTIME_SESSIONS="250",
        LIMITS_REQUESTS="300",
        LOG_LEVEL="debug",
    ) as server:
        yield server


@pytest.fixture(scope="module")
def speech() -> bytes:
    """Eleven seconds of speech at 16 kHz, 16 bits a sample."""
    return (decode(JFK.read_bytes()) * 32_767).astype("<i2").tobytes()


def test_a_client_that_does_not_read_is_closed_with_1008(tmp_path: Path) -> None:
    """The client sends invalid frames and does not read the errors about them, until too many bytes wait."""
    settings = {"REALTIME_SESSIONS": "1", "REALTIME_UNREAD_BYTES": "16384"}
    with (
        serving(tmp_path, REALTIME_ENABLED="true", **settings) as server,  # type: ignore[arg-type]
        opened(server, max_queue=1) as socket,
        ThreadPoolExecutor(1) as pool,
    ):
        pool.submit(_babble, socket)
        wait_until(lambda: can_open(server), 60, "the end of the session")
        assert closing_code(socket) == 1008


def _babble(socket: ClientConnection) -> None:
    """Sends frames that are answered with errors, until the connection ends."""
    with suppress(ConnectionClosed, OSError):
        for _ in range(200_000):
            socket.send('{"type": "' + "x" * 100 + '"}')


def test_two_hundred_silent_sessions_are_open_at_once_and_one_of_them_speaks(
    roomy: Server, speech: bytes
) -> None:
    with ExitStack() as stack:
        open_sockets = [stack.enter_context(opened(roomy)) for _ in range(MANY_SESSIONS)]
        for socket in open_sockets:
            update(socket, format=WIDE)
            append(socket, bytes(16_000))
        speaker = open_sockets[MANY_SESSIONS // 2]
        append(speaker, speech + bytes(32_000))
        assert until(speaker, COMPLETED)[-1]["transcript"]
        with roomy.client() as client:
            assert client.get("/models").status_code == 200


def test_garbage_never_ends_a_session(roomy: Server) -> None:
    dice = random.Random(7)
    with opened(roomy) as socket:
        until(socket, CREATED)
        for _ in range(200):
            socket.send(_garbage(dice))
            assert until(socket, "error")[-1]["error"]["code"]
        assert update(socket, format=WIDE)["type"] == "transcription"


def _garbage(dice: random.Random) -> str | bytes:
    """A frame that is not an event of this API; some of these frames are valid JSON, others are not."""
    kinds = ["session.update", "input_audio_buffer.append", "response.create", "x", 7, None, ["session"]]
    values = ["", "=", "\ud83d\ude00", 1e300, -1, None, True, [], {}, {"type": "realtime"}, "A" * 70_000]
    event = {"type": dice.choice(kinds), "session": dice.choice(values), "audio": dice.choice(["!", 3, None])}
    text = json.dumps(event)
    cut = dice.randrange(1, len(text))
    noise = "".join(dice.choices(string.printable, k=50))
    texts = [text, text[:cut], text[:cut] + noise, noise, "[" * 50_000]
    return dice.choice(texts) if dice.random() < 0.9 else dice.randbytes(100)


def test_a_stop_in_mid_turn_closes_with_1012_and_the_server_ends(tmp_path: Path, speech: bytes) -> None:
    with serving(tmp_path, REALTIME_ENABLED="true") as server:
        with opened(server) as socket:
            update(socket, format=WIDE)
            append(socket, speech[:96_000])
            until(socket, DELTA)
            server.process.send_signal(signal.SIGTERM)
            assert closing_code(socket) == 1012
        server.process.wait(15)


def test_a_client_that_leaves_in_mid_turn_leaves_no_work(tmp_path: Path, speech: bytes) -> None:
    with serving(tmp_path, seconds=0.5, REALTIME_ENABLED="true", REALTIME_SESSIONS="1") as server:
        with opened(server) as socket:
            update(socket, format=WIDE)
            append(socket, speech[:96_000])
            until(socket, "input_audio_buffer.speech_started")
            wait_until(lambda: queued(server) is not None, 10, "a look")
            socket.socket.shutdown(sockets.SHUT_RDWR)
        wait_until(lambda: queued(server) == 0 and can_open(server), 10, "an empty queue and a place")


def test_a_client_that_leaves_while_the_model_is_far_behind_leaves_its_place(
    tmp_path: Path, speech: bytes
) -> None:
    """The server does not read its socket then, and would not see the end of the connection before all sound
    that came earlier was transcribed: here, for more than a minute.
    """
    settings = {"REALTIME_SESSIONS": "1", "REALTIME_AHEAD_SECONDS": "1"}
    with (
        serving(tmp_path, seconds=3, REALTIME_ENABLED="true", **settings) as server,
        opened(server) as socket,
        ThreadPoolExecutor(1) as pool,
    ):
        update(socket, format=WIDE, turn_detection=None)
        pool.submit(_sends_much, socket, speech)
        wait_until(lambda: queued(server) is not None, 20, "a look")
        socket.socket.shutdown(sockets.SHUT_WR)  # it still reads: words that it did not read would tell too
        wait_until(lambda: can_open(server), 30, "a free place")


def _sends_much(socket: ClientConnection, speech: bytes) -> None:
    with suppress(ConnectionClosed, OSError):
        for _ in range(40):
            append(socket, speech)


def queued(server: Server) -> float | None:
    """Number of waiting windows, from /metrics; None before the first window."""
    with server.client() as client:
        page = client.get(f"{server.root}/metrics").text
    lines = [line for line in page.splitlines() if line.startswith("antiphon_queue_jobs{")]
    return sum(float(line.split()[-1]) for line in lines) if lines else None


def test_nothing_of_the_audio_the_text_or_the_key_is_logged(roomy: Server, speech: bytes) -> None:
    with opened(roomy, "?intent=transcription&api_key=sk-in-the-query") as socket:
        update(socket, format=WIDE, transcription={"prompt": "a-secret-name"}, turn_detection=None)
        append(socket, speech[:96_000])
        socket.send('{"type": "input_audio_buffer.append", "audio": "not-base64-at-all!"}')
        say(socket, {"type": "input_audio_buffer.commit"})
        assert until(socket, COMPLETED)[-1]["transcript"].startswith("word")
    path = Path(roomy.settings["LOG"])
    wait_until(lambda: "path=/v1/realtime" in path.read_text(), 10, "the line of the session")
    log = path.read_text()
    for told in ("word0", "word1", "a-secret-name", "not-base64", KEY, "in-the-query"):
        assert told not in log


STRICT_UPDATES = [
    ({"unknown": 1}, "unknown_parameter", "session.audio.input.unknown"),
    ({"format": {"type": "audio/pcm", "rate": 16_000}}, "invalid_value", "session.audio.input.format.rate"),
    (
        {"transcription": {"model": "gpt-live-transcribe"}, "turn_detection": {"type": "server_vad"}},
        "invalid_value",
        "session.audio.input.turn_detection",
    ),
    ({"transcription": {"delay": "low"}}, "invalid_value", "session.audio.input.transcription.delay"),
    (
        {"transcription": {"model": "whisper-1", "temperature": 0}},
        "unknown_parameter",
        "session.audio.input.transcription.temperature",
    ),
]


def test_strict_mode_refuses_what_openai_refuses(tmp_path: Path) -> None:
    with serving(tmp_path, REALTIME_ENABLED="true", COMPAT_STRICT="true") as server:
        status, error = refused(server, "?intent=transcription&model=whisper-1")
        assert (status, error["code"]) == (400, "invalid_model")
        with opened(server) as socket:
            for audio_input, code, param in STRICT_UPDATES:
                say(socket, {
                    "type": "session.update",
                    "session": {"type": "transcription", "audio": {"input": audio_input}},
                })  # fmt: skip
                error = until(socket, "error")[-1]["error"]
                assert (error["code"], error["param"]) == (code, param)
            assert update(socket, transcription={"language": "en"})["type"] == "transcription"
            say(socket, {
                "type": "session.update",
                "session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "no"}}}},
            })  # fmt: skip
            assert until(socket, "error")[-1]["error"]["code"] == "invalid_model"
            assert closing_code(socket) == 4000
        with server.client() as client:
            body = {"session": {"type": "transcription", "tools": []}}
            answer = client.post("/realtime/client_secrets", json=body)
            assert answer.json()["error"]["code"] == "unknown_parameter"
