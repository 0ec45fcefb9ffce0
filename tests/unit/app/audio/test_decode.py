"""Decoding: every common format, hostile files, bounded work."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from app.audio.decode import BLOCK, open_audio
from app.errors import ApiError, AudioTooLong, AudioTooShort, NotAudio
from engines.types import Samples
from tests.support.sound import encode, film, silence, tone, wav

SECONDS = 2.0
SOUND = tone(SECONDS)


def decode(data: bytes, limit: float = 100.0) -> Samples:
    source = open_audio(io.BytesIO(data), limit=limit, cancelled=lambda: False)
    try:
        return np.concatenate(list(source.blocks()))
    finally:
        source.close()


def pitch(samples: Samples) -> float:
    """Hertz of the strongest tone."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    return float(np.argmax(np.abs(np.fft.rfft(middle))) * 16_000 / len(middle))


@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout"),
    [
        ("wav", "pcm_s16le", 8_000, "mono"),
        ("wav", "pcm_s24le", 96_000, "stereo"),
        ("wav", "pcm_f32le", 44_100, "5.1"),
        ("wav", "pcm_mulaw", 8_000, "mono"),
        ("aiff", "pcm_s16be", 44_100, "stereo"),
        ("flac", "flac", 96_000, "stereo"),
        ("mp3", "libmp3lame", 44_100, "stereo"),
        ("mp3", "libmp3lame", 8_000, "mono"),
        ("ipod", "aac", 44_100, "5.1"),
        ("ipod", "alac", 48_000, "stereo"),
        ("mp4", "aac", 48_000, "stereo"),
        ("adts", "aac", 22_050, "mono"),
        ("ogg", "libopus", 48_000, "mono"),
        ("webm", "libopus", 48_000, "stereo"),
        ("matroska", "aac", 48_000, "mono"),
        ("mp2", "mp2", 44_100, "stereo"),
        ("ac3", "ac3", 48_000, "5.1"),
        ("avi", "pcm_s16le", 44_100, "stereo"),
        ("mpegts", "aac", 48_000, "stereo"),
        ("au", "pcm_s16be", 16_000, "mono"),
        ("w64", "pcm_s16le", 16_000, "mono"),
    ],
)
def test_formats(container: str, codec: str, rate: int, layout: str) -> None:
    samples = decode(encode(SOUND, container, codec, rate, layout))
    assert len(samples) / 16_000 == pytest.approx(SECONDS, abs=0.15)
    assert pitch(samples) == pytest.approx(440, abs=3)
    assert np.abs(samples).max() > 0.05


def test_the_sound_of_a_film() -> None:
    assert pitch(decode(film(SOUND))) == pytest.approx(440, abs=3)


def test_blocks_are_small_whatever_the_length() -> None:
    source = open_audio(io.BytesIO(wav(silence(60))), limit=100, cancelled=lambda: False)
    assert source.expected == pytest.approx(60)
    assert max(len(block) for block in source.blocks()) < 2 * BLOCK
    assert source.seconds == pytest.approx(60)
    source.close()


HEAD = wav(silence(0))
GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "text": b"this is not audio " * 200,
    "only a header": b"RIFF\x00\x00\x00\x00WAVE",
    "no samples": HEAD,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(2000),
    "zeros": bytes(100_000),
    "random": np.random.default_rng(1).bytes(100_000),
    "a script": b"#!/bin/sh\nreboot\n",
    "a zip": b"PK\x03\x04" + bytes(5000),
    "an absurd rate": b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt "
    + struct.pack("<IHHIIHHB", 16, 1, 65535, 0xFFFFFFFF, 0, 0, 16, 0) + b"data" + bytes(64),
}  # fmt: skip


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(name: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode(GARBAGE[name])
    assert caught.value.status == 400
    assert caught.value.param == "file"


def test_too_short() -> None:
    with pytest.raises(AudioTooShort):
        decode(wav(tone(0.05)))


def test_too_long_by_its_own_word_and_in_truth() -> None:
    with pytest.raises(AudioTooLong, match="60"):
        decode(wav(silence(60)), limit=59)
    lying = bytearray(wav(silence(60)))
    lying[40:44] = struct.pack("<I", 0xFFFFFFFF)  # a streamed WAV does not know its length
    lying[4:8] = struct.pack("<I", 0xFFFFFFFF)
    assert len(decode(bytes(lying))) == 60 * 16_000
    with pytest.raises(AudioTooLong):
        decode(encode(silence(60), "adts", "aac", 16_000), limit=30)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    ("container", "codec"), [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac")]
)
def test_a_cut_off_file_gives_what_is_there(container: str, codec: str, share: float) -> None:
    data = encode(tone(10), container, codec)
    samples = decode(data[: int(len(data) * share)])
    assert 0.2 < len(samples) / 16_000 < 10


def test_a_damaged_middle_is_passed_over() -> None:
    data = bytearray(encode(tone(10), "mp3", "libmp3lame"))
    data[len(data) // 3 : len(data) // 2] = np.random.default_rng(2).bytes(len(data) // 2 - len(data) // 3)
    assert len(decode(bytes(data))) / 16_000 > 5


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bytes_never_crash(seed: int) -> None:
    random = np.random.default_rng(seed)
    for container, codec in (("ipod", "aac"), ("webm", "libopus"), ("wav", "pcm_s16le"), ("flac", "flac")):
        data = bytearray(encode(tone(1), container, codec))
        for at in random.integers(0, len(data), 40):
            data[at] = random.integers(0, 256)
        with suppress(NotAudio):  # refusing is right, crashing is not
            assert np.isfinite(decode(bytes(data))).all()


@pytest.fixture
def watched() -> Iterator[tuple[str, list[str]]]:
    """A web server that must not be asked for anything."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_that_names_others_opens_none(tmp_path: Path, watched: tuple[str, list[str]]) -> None:
    url, asked = watched
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(tone(3)))
    playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n"
    base = '<AdaptationSet mimeType="audio/mp4"><BaseURL>{}</BaseURL></AdaptationSet>'
    manifest = f'<?xml version="1.0"?><MPD><Period>{base}</Period></MPD>'
    for target in (f"file://{secret}", str(secret), f"{url}/x.ts", f"{url}/x.wav"):
        for text in (
            playlist,
            manifest,
            "ffconcat version 1.0\nfile '{}'\n",
            "v=0\nc=IN IP4 {}\nm=audio 9 RTP/AVP 0\n",
        ):
            with pytest.raises(NotAudio):
                decode(text.format(target).encode())
    assert asked == []


def test_cancelling_stops_the_decoding() -> None:
    source = open_audio(io.BytesIO(wav(silence(60))), limit=100, cancelled=lambda: True)
    with pytest.raises(NotAudio):
        list(source.blocks())
    assert source.seconds == 0
    source.close()
