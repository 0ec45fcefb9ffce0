"""No handler blocks the event loop for 100 ms of CPU time at once, even with the worst fields that are
allowed.

Every route is in `test_loop_routes`; what other threads take from the loop is in
`tests/unit/app/wire/test_json_text_lets_others_run.py`.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from tests.conftest import JFK
from tests.support.fake_server import serving
from tests.support.live_client import opened, say, until
from tests.support.loop_time import longest, most
from tests.support.server import Server
from tests.support.sound import decode, tone, wav

pytestmark = pytest.mark.slow

LONG = wav(tone(600))
TALK = decode(JFK.read_bytes())
CLIP = "data:audio/wav;base64," + base64.b64encode(wav(TALK[: 9 * 16_000])).decode()
RECORDING = wav(np.tile(TALK, 6)[: 59 * 16_000])
CUES = {"max_line_width": "200", "max_line_count": "5", "max_cue_seconds": "60", "max_line_length": "200"}
WORDS = " ".join(["word"] * 20_000)
ODD = "\u0301\u200d🏳️‍🌈ﷺ"
NESTED = "[" * 100_000
APPEND = '{"type": "input_audio_buffer.append", "audio": "%s"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("loop"), TRANSCRIPTION_VAD="false") as running:
        yield running


def test_a_handler_that_computes_on_the_loop_is_seen(server: Server) -> None:
    longest(server)
    with server.client() as client:
        assert client.get(server.root + "/test/burn").status_code == 200
    assert longest(server) >= 0.2


def upload(server: Server, path: str, files: dict[str, Any], **fields: Any) -> httpx2.Response:
    with server.client() as client:
        return client.post(path, data=fields, files=files)


TRANSCRIPTIONS: dict[str, dict[str, Any]] = {
    **{
        name: {"response_format": name, "timestamp_granularities[]": ["word", "segment"], **CUES}
        for name in ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
    },
    "stream": {"stream": "true", "include[]": "logprobs"},
    "long prompt": {"prompt": WORDS[:99_000], "hotwords": WORDS[:99_000]},
    "odd prompt": {"prompt": ODD * 9_000},
    "speakers": {
        "response_format": "diarized_json",
        "known_speaker_names[]": ["a", "b", "c", "d"],
        "known_speaker_references[]": [CLIP] * 4,
    },
    "nested JSON": {"chunking_strategy": NESTED, "timestamp_granularities": NESTED},
    "many fields": {f"f{number}": "x" * 5_000 for number in range(95)},
}
REFUSED = {"nested JSON": "invalid_value", "speakers": "several_speakers"}
"""Error codes of the cases that are refused. `speakers` is refused only after the work: the fake engine hears
several speakers in the clip.
"""


@pytest.mark.parametrize("name", TRANSCRIPTIONS)
def test_transcriptions(server: Server, name: str) -> None:
    longest(server)
    fields = {"model": "whisper-1", **TRANSCRIPTIONS[name]}
    answer = upload(server, "/audio/transcriptions", {"file": LONG}, **fields)
    code = answer.json()["error"]["code"] if answer.status_code == 400 else None
    assert (answer.status_code, code) == ((400, REFUSED[name]) if name in REFUSED else (200, None))
    assert longest(server) < most()


SPEECH: dict[str, dict[str, Any]] = {
    **{name: {"response_format": name} for name in ("mp3", "opus", "aac", "flac", "wav", "pcm")},
    "events": {"stream_format": "sse", "model": "gpt-4o-mini-tts"},
    "whole": {"stream": False},
    "slow": {"speed": 0.25, "response_format": "pcm"},
    "instructions": {"instructions": ODD * 400, "model": "gpt-4o-mini-tts"},
    "odd text": {"input": ODD * 400},
    "numbers": {"input": "123456789012345678901234567890 " * 130},
    "one word": {"input": "a" * 4096},
    "no words": {"input": "." * 4096},
}


@pytest.mark.parametrize("name", SPEECH)
def test_speech(server: Server, name: str) -> None:
    body = {"model": "tts-1", "voice": "alloy", "input": "Good morning, dear friend. " * 150} | SPEECH[name]
    with server.client() as client:  # the first request loads the text libraries, on other threads
        client.post("/audio/speech", json=body | {"input": "Good morning."})
        longest(server)
        answer = client.post("/audio/speech", json=body)
    assert answer.status_code in (200, 400), answer.text[:300]
    assert longest(server) < most()


@pytest.mark.parametrize(
    "body",
    [
        NESTED,
        "{" + '"a":{' * 50_000,
        json.dumps({"model": "x" * 1_000_000}),
        json.dumps({"input": [0] * 300_000}),
        '{"speed": ' + "9" * 1_000_000 + "}",
        json.dumps({str(number): number for number in range(60_000)}),
    ],
    ids=["nested lists", "nested objects", "a long name", "a long list", "a long number", "many keys"],
)
@pytest.mark.parametrize("path", ["/audio/speech", "/audio/voice_consents/cons_1"])
def test_json(server: Server, path: str, body: str) -> None:
    longest(server)
    with server.client() as client:
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert longest(server) < most()


@pytest.mark.parametrize(
    ("path", "file", "code"),
    [
        ("/audio/voice_consents", "recording", "consent_phrase_mismatch"),
        ("/audio/voices", "audio_sample", "consent_not_found"),
    ],
)
def test_recordings(server: Server, path: str, file: str, code: str) -> None:
    longest(server)
    fields = {"name": "n" * 5000, "language": "de-" + "x" * 5000, "consent": "cons_" + "1" * 5000}
    answer = upload(server, path, {file: wav(tone(300))}, **fields)
    assert 400 <= answer.status_code < 500
    good = {"name": "Anna", "language": "de", "consent": "cons_1"}
    assert upload(server, path, {file: RECORDING}, **good).json()["error"]["code"] == code
    assert longest(server) < most()


@pytest.mark.parametrize(
    "path",
    [
        "/audio/voices",
        "/audio/voices/alloy",
        "/audio/voices/" + "x" * 30_000,
        "/audio/voice_consents?limit=100&after=" + "x" * 30_000,
        "/audio/voice_consents/" + "x" * 30_000,
        "/models",
        "/models/" + "a/" * 15_000,
        "/" + "%2e/" * 12_000,
    ],
)
def test_lists_and_names(server: Server, path: str) -> None:
    longest(server)
    with server.client() as client:
        assert client.get(path).status_code < 500
        assert client.delete(path).status_code < 500
    assert longest(server) < most()


RENDER_BYTES = 8 * 1024 * 1024 - 1000
DOCUMENTS: dict[str, Any] = {
    "one long word": [{"start": 0, "end": 1, "text": "a" * RENDER_BYTES}],
    "wide letters": [{"start": 0, "end": 1, "text": "語" * (RENDER_BYTES // 6)}],
    "many words": [{"start": 0, "end": 1, "text": "ab " * 99_000}],
    "too many words": [{"start": 0, "end": 1, "text": "a " * (RENDER_BYTES // 2)}],
    "many segments": [{"start": 0, "end": 1, "text": "a b c d e f g h i"}] * 20_000,
    "lists": [[]] * 2_000_000,
}


@pytest.mark.parametrize(
    ("name", "form"), [*((name, "srt") for name in DOCUMENTS), ("many words", "json"), ("many words", "docx")]
)
def test_files_of_segments(server: Server, name: str, form: str) -> None:
    longest(server)
    with server.client() as client:
        answer = client.post(
            "/audio/transcriptions/render", json={"format": form, "segments": DOCUMENTS[name]}
        )
    assert answer.status_code in (200, 400)
    assert longest(server) < most()


@pytest.mark.parametrize("path", ["/health/ready", "/metrics", "/openapi.json", "/"])
def test_what_is_outside_of_the_api(server: Server, path: str) -> None:
    with server.client() as client:
        client.get(server.root + path)  # the first call fills caches, which takes longer
        longest(server)
        assert client.get(server.root + path).status_code == 200
    assert longest(server) < most()


FRAMES: dict[str, str | bytes] = {
    "the longest sound": APPEND % ("A" * 20_900_000),
    "escapes": APPEND % (r"\n" * 11_900_000),
    "bytes": bytes(24_000_000),
    "wide letters": APPEND % ("語" * 7_900_000),
    "nested": NESTED,
    "settings": json.dumps(
        {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {"transcription": {
            "keywords": ["é" * 9_900] * 100, "prompt": ODD * 900}}}}}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_live_sessions(server: Server, name: str) -> None:
    with opened(server) as socket:
        longest(server)
        socket.send(FRAMES[name])
        say(socket, {"type": "input_audio_buffer.clear"})
        until(socket, "input_audio_buffer.cleared")
    assert longest(server) < most()


def test_frames_of_live_sessions_do_not_grow(server: Server) -> None:
    """Compression of frames is off. One read takes ten compressed frames of 24 kB, and to decompress them
    would take 0.6 s of the event loop and 250 MB.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = (deflate.compress(b" " * 24_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    frame = b"\xc1\xfe" + struct.pack(">H", len(data)) + bytes(4) + data
    with opened(server, compression="deflate") as socket:
        longest(server)
        with suppress(OSError):  # the server ends the connection at the first compressed frame
            socket.socket.sendall(frame * 20)
        with pytest.raises(ConnectionClosed):
            until(socket, "nothing")
    assert longest(server) < most()


@pytest.mark.parametrize("frame", [b"\x89\x80", b"\x8a\x80", b"\x81\x80"], ids=["ping", "pong", "text"])
def test_thousands_of_tiny_frames_are_parsed_in_turns(server: Server, frame: bytes) -> None:
    """One read of 256 kB holds 40,000 frames; parsed in one turn of the event loop, they would take 84 to 161
    ms.

    The connection may end, because nobody reads the thousands of answers.
    """
    with opened(server) as socket:
        longest(server)
        with suppress(OSError, ConnectionClosed):
            socket.socket.sendall((frame + bytes(4)) * 100_000)
            say(socket, {"type": "input_audio_buffer.clear"})
        with suppress(ConnectionClosed):
            until(socket, "input_audio_buffer.cleared")
    assert longest(server) < most()
