"""Bad input to a real server with real weights: each answer is a valid one, memory does not grow, and the
server still works.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.conftest import JFK
from tests.support.server import KEY, Server, running
from tests.support.sound import decode, encode, noise, silence, silent_flac, tone, wav

pytestmark = pytest.mark.real
GROWTH = 100 * 1024 * 1024
"""Bytes that a hostile request may add to the server's memory."""


@pytest.fixture(scope="module", autouse=True)
def warm(server: Server) -> None:
    """Sends an easy and a hard request first, because a beam search needs buffers of its own."""
    for data in (JFK.read_bytes(), wav(noise(30, 0.3) + tone(30))):
        assert post(server, data, vad_filter="false").status_code == 200


@pytest.fixture(autouse=True)
def unharmed(server: Server) -> Iterator[None]:
    """After each test the server still answers, and its memory has grown by less than `GROWTH`."""
    before = server.peak
    yield
    assert server.process.poll() is None
    assert httpx2.get(f"{server.url}/models", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
    assert httpx2.get(f"{server.root}/health/ready").status_code == 200
    assert server.peak - before < GROWTH


def post(server: Server, data: bytes, name: str = "a.wav", **fields: str) -> httpx2.Response:
    with server.client() as client:
        return client.post(
            "/audio/transcriptions", data={"model": "whisper-1", **fields}, files={"file": (name, data)}
        )


def refused(answer: httpx2.Response, status: int = 400) -> dict[str, str]:
    assert answer.status_code == status, answer.text[:300]
    error: dict[str, str] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_an_empty_file(server: Server) -> None:
    assert refused(post(server, b""))["param"] == "file"


def test_garbage_named_wav(server: Server) -> None:
    error = refused(post(server, np.random.default_rng(1).bytes(500_000)))
    assert "Supported formats" in error["message"]


def test_a_truncated_mp3_says_what_is_there(server: Server) -> None:
    mp3 = encode(decode(JFK.read_bytes()), "mp3", "libmp3lame")
    answer = post(server, mp3[: len(mp3) // 2], "cut.mp3")
    assert answer.status_code == 200
    assert "fellow americans" in answer.json()["text"].lower()


def test_a_twentieth_of_a_second(server: Server) -> None:
    assert refused(post(server, wav(tone(0.05))))["code"] == "audio_too_short"


@pytest.mark.parametrize("vad", ["true", "false"])
def test_silence(server: Server, vad: str) -> None:
    body = post(server, wav(silence(20)), response_format="verbose_json", vad_filter=vad).json()
    assert (body["text"], body["segments"], body["duration"]) == ("", [], 20.0)


def test_music_and_noise_are_not_words(server: Server) -> None:
    beat = np.exp(-np.arange(16_000) / 4_000).astype(np.float32)
    chord = tone(1, 261) + tone(1, 329) + tone(1, 392)
    for sound in (np.tile(chord * beat, 20).astype(np.float32), noise(20), tone(20, 50)):
        body = post(server, wav(sound), response_format="verbose_json").json()
        assert (body["text"], body["segments"]) == ("", [])
        # Without detection the model itself decides, and where its search fails it samples: no promise there.
        assert post(server, wav(sound), vad_filter="false").status_code == 200


def test_three_hours_of_silence(server: Server) -> None:
    data = silent_flac(3 * 3600 + 8)
    before = server.peak
    body = post(server, data, "silence.flac", response_format="verbose_json").json()
    assert (body["text"], body["segments"]) == ("", [])
    assert body["duration"] == pytest.approx(3 * 3600, abs=9)
    assert server.peak - before < GROWTH


def test_a_file_over_the_limit_in_a_chunked_upload(storage: Path, tmp_path: Path) -> None:
    head = (
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    )

    def body() -> Iterator[bytes]:
        yield head + wav(silence(1))
        for _ in range(40):
            yield bytes(1 << 20)

    small = running(
        storage,
        tmp_path / "log",
        LIMITS_UPLOAD_BYTES=str(25 * 1024 * 1024),
        MODELS_PRELOAD="[]",
        STORAGE_DATABASE_URL=f"sqlite:///{tmp_path}/antiphon.db",
    )
    with small as server, server.client() as client:
        answer = client.post(
            "/audio/transcriptions",
            content=body(),
            headers={"content-type": "multipart/form-data; boundary=x"},
        )
    assert "Maximum content size limit (26214400) exceeded" in refused(answer, 413)["message"]


def test_a_codec_bomb(server: Server) -> None:
    """Hundreds of hours of sound in half a megabyte. The head of the file does not state its length."""
    bomb = silent_flac(100 * 3600)
    assert len(bomb) < 700_000
    error = refused(post(server, bomb, "bomb.flac"))
    assert "longer than 14400 seconds" in error["message"]


def test_a_bomb_of_one_frame(server: Server) -> None:
    """At one sample a second, a single frame would be a billion samples at our rate."""
    assert "sampling rate" in refused(post(server, silent_flac(65_535 * 3, rate=1), "slow.flac"))["message"]


def test_an_upload_that_breaks_off(server: Server) -> None:
    import socket

    host, port = server.root.removeprefix("http://").split(":")
    for part in (b"", b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF'):
        with socket.create_connection((host, int(port))) as line:
            line.sendall(
                b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n" + part
            )
    assert post(server, wav(silence(1))).status_code == 200


def test_odd_headers_and_names(server: Server) -> None:
    clip = wav(silence(1))
    for name in ("../../etc/passwd", "a" * 5000, 'quo"te\r\nX-Evil: 1', "\0", "会議.wav", ""):
        answer = post(server, clip, name)
        assert answer.status_code in (200, 400), answer.text
    with server.client() as client:
        for kind in (
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=" + "x" * 9000,
            "multipart/x",
        ):
            answer = client.post("/audio/transcriptions", content=b"x", headers={"content-type": kind})
            refused(answer)
