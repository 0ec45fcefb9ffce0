"""Live transcription over a real socket, with the real speech detector and a fake transcriber that says one
word a second.
"""

from __future__ import annotations

import signal
import socket as sockets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from app.audio.decode import open_audio
from tests.conftest import JFK
from tests.support.fake_server import serving
from tests.support.live_client import (
    COMPLETED,
    CREATED,
    DELTA,
    FAILED,
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
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("live"), REALTIME_ENABLED="true", REALTIME_SESSIONS="2") as server:
        yield server


@pytest.fixture(scope="module")
def speech() -> bytes:
    """Eleven seconds of speech at 16 kHz, 16 bits a sample."""
    with JFK.open("rb") as file:
        source = open_audio(file, limit=60, cancelled=lambda: False)
        data = b"".join((block * 32_767).astype("<i2").tobytes() for block in source.blocks())
        source.close()
    return data


def test_refusals_are_answers_before_the_upgrade(live: Server) -> None:
    assert refused(live, key=None)[0] == 401
    assert refused(live, key="sk-wrong-0123456789")[1]["code"] == "invalid_api_key"
    assert refused(live, key=None, subprotocols=["realtime", "openai-insecure-api-key.wrong"])[0] == 401
    assert refused(live, "?intent=conversation")[0] == 400
    assert refused(live, "?call_id=1")[0] == 400
    assert refused(live, "?model=gpt-realtime")[1]["code"] == "model_not_found"
    assert refused(live, key="ek_unknown")[0] == 401
    with live.client() as client:
        assert client.get("/realtime").status_code == 426


def test_browsers_send_their_key_as_a_subprotocol(live: Server) -> None:
    offered: Any = ["realtime", f"openai-insecure-api-key.{KEY}"]
    with opened(live, key=None, subprotocols=offered) as socket:
        assert socket.subprotocol == "realtime"
        assert until(socket, CREATED)[0]["session"]["type"] == "transcription"


def test_a_further_session_than_allowed_is_refused_and_a_place_becomes_free(live: Server) -> None:
    with opened(live), opened(live):
        status, error = refused(live)
        assert (status, error["code"]) == (429, "rate_limit_exceeded")
    wait_until(lambda: can_open(live), 10, "a free place")


def test_committed_speech_is_completed_with_the_text_of_its_deltas(live: Server, speech: bytes) -> None:
    with opened(live) as socket:
        update(socket, format=WIDE, turn_detection=None)
        append(socket, speech)
        say(socket, {"type": "input_audio_buffer.commit"})
        events = until(socket, COMPLETED)
    types = [event["type"].removeprefix("input_audio_buffer.") for event in events if event["type"] != DELTA]
    assert types == ["committed", "conversation.item.added", "conversation.item.done", COMPLETED]
    text = "".join(event["delta"] for event in events if event["type"] == DELTA)
    assert text == events[-1]["transcript"]
    assert text.startswith("word0 word1")
    assert len({event["item_id"] for event in events if "item_id" in event}) == 1


def test_turns_are_found_in_speech(live: Server, speech: bytes) -> None:
    with opened(live) as socket:
        update(
            socket,
            format=WIDE,
            turn_detection={"type": "server_vad", "silence_duration_ms": 1500},
        )
        append(socket, bytes(32_000) + speech + bytes(96_000))
        events = until(socket, COMPLETED)
    order = [event["type"] for event in events if event["type"] != DELTA]
    assert order == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        COMPLETED,
    ]
    assert 700 <= events[0]["audio_start_ms"] <= 1600


def test_committed_silence_says_nothing_and_nothing_committed_is_an_error(live: Server) -> None:
    with opened(live) as socket:
        update(socket, format=WIDE, turn_detection=None)
        say(socket, {"type": "input_audio_buffer.commit", "event_id": "mine"})
        error = until(socket, "error")[-1]["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "mine")
        append(socket, bytes(64_000))
        say(socket, {"type": "input_audio_buffer.commit"})
        assert until(socket, COMPLETED)[-1]["transcript"] == ""
        append(socket, bytes(64_000))
        say(socket, {"type": "input_audio_buffer.clear"})
        until(socket, "input_audio_buffer.cleared")
        say(socket, {"type": "input_audio_buffer.commit"})
        assert until(socket, "error")[-1]["error"]["code"] == "input_audio_buffer_commit_empty"


def test_garbage_is_an_error_and_the_session_goes_on(live: Server) -> None:
    with opened(live) as socket:
        until(socket, CREATED)
        for frame in ("{", "", "[]", "null", b"\0\1", '{"type": "response.create"}', "[" * 70_000):
            socket.send(frame)
            assert until(socket, "error")[-1]["error"]["type"] == "invalid_request_error"
        assert update(socket, transcription={"language": "de"})["type"] == "transcription"


def test_a_message_beyond_the_bound_closes_with_1009(live: Server) -> None:
    with opened(live) as socket:
        until(socket, CREATED)
        socket.send("x" * (24 * 2**20 + 1))
        assert closing_code(socket) == 1009


def test_a_client_secret_opens_sessions_and_nothing_else(live: Server) -> None:
    body = {"session": {"type": "transcription", "audio": {"input": {"transcription": {"language": "en"}}}}}
    with live.client() as client:
        made = client.post("/realtime/client_secrets", json=body).json()
        wrong = {"session": {"type": "realtime"}}
        assert client.post("/realtime/client_secrets", json=wrong).status_code == 400
    with opened(live, key=made["value"]) as socket:
        session = until(socket, CREATED)[0]["session"]
    assert session["audio"]["input"]["transcription"]["language"] == "en"
    with live.client(made["value"]) as stranger:
        assert stranger.get("/models").status_code == 401
        assert stranger.post("/realtime/client_secrets", json={}).status_code == 401


def test_clients_that_vanish_in_a_turn_leave_their_places(live: Server, speech: bytes) -> None:
    for _ in range(3):
        wait_until(lambda: can_open(live), 10, "a free place")
        with opened(live) as socket:
            update(socket, format=WIDE, turn_detection=None)
            append(socket, speech[:64_000])
            socket.socket.shutdown(sockets.SHUT_RDWR)
    wait_until(lambda: can_open(live), 10, "a free place")


def test_a_session_ends_with_its_time_and_what_is_not_complete_fails(tmp_path: Path, speech: bytes) -> None:
    with (
        serving(tmp_path, seconds=20.0, REALTIME_ENABLED="true", REALTIME_SESSION_SECONDS="8") as server,
        opened(server) as socket,
    ):
        commit(socket, speech[:64_000])
        assert until(socket, FAILED)[-1]["error"]["code"] == "session_expired"
        assert until(socket, "error")[-1]["error"]["code"] == "session_expired"
        assert closing_code(socket) == 1001


@pytest.mark.parametrize("patience", ["REALTIME_SHUTDOWN_SECONDS", "SERVER_SHUTDOWN_SECONDS"])
def test_what_is_not_complete_when_the_server_stops_fails(
    tmp_path: Path, speech: bytes, patience: str
) -> None:
    """Also if the server's patience ends before that of the session."""
    given = {"REALTIME_ENABLED": "true", patience: "1"}
    with serving(tmp_path, seconds=6.0, **given) as server:
        with opened(server) as socket:
            commit(socket, speech[:64_000])
            until(socket, "conversation.item.done")
            server.process.send_signal(signal.SIGTERM)
            assert until(socket, FAILED)[-1]["error"]["code"] == "shutting_down"
            assert closing_code(socket) == 1012
        server.process.wait(30)


def commit(socket: ClientConnection, data: bytes) -> None:
    """Sends speech at 16 kHz and ends its item."""
    update(socket, format=WIDE, turn_detection=None)
    append(socket, data)
    say(socket, {"type": "input_audio_buffer.commit"})


def test_a_stop_lets_committed_audio_end_and_closes_with_1012(tmp_path: Path, speech: bytes) -> None:
    with serving(tmp_path, seconds=1.0, REALTIME_ENABLED="true") as server:
        with opened(server) as socket:
            commit(socket, speech[:64_000])
            until(socket, "conversation.item.done")
            server.process.send_signal(signal.SIGTERM)
            assert until(socket, COMPLETED)[-1]["transcript"]
            assert closing_code(socket) == 1012
        server.process.wait(15)


def test_switched_off_it_is_not_there(tmp_path: Path) -> None:
    with serving(tmp_path, REALTIME_ENABLED="false") as server, server.client() as client:
        assert client.get("/realtime").status_code == 404
        assert client.post("/realtime/client_secrets", json={}).status_code == 404
        assert client.get("/about").json()["features"]["live"] is False, "the page does not offer it"
        with pytest.raises(InvalidStatus):
            opened(server)
