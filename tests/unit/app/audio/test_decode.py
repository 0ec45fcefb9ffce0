"""Decoding: every common format, hostile files, bounded work."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from app.audio.convert_to_mono import MOST_CHANGES, Converter
from app.audio.decode import BLOCK_SAMPLES, open_audio
from app.errors import ApiError, AudioTooLong, AudioTooShort, NotAudio, RequestTimedOut
from engines.types import Samples
from tests.support.sound import encode, film, float_wav, pcm_wav, silence, tone, wav

SECONDS = 2.0
SOUND = tone(SECONDS)


def decode(data: bytes, limit: float = 100.0) -> Samples:
    source = open_audio(io.BytesIO(data), limit=limit, cancelled=lambda: False)
    try:
        return np.concatenate(list(source.blocks()))
    finally:
        source.close()


def pitch(samples: Samples) -> float:
    """Frequency of the strongest tone, in hertz."""
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
    assert max(len(block) for block in source.blocks()) < 2 * BLOCK_SAMPLES
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
        with suppress(NotAudio):  # refusing the file is right, crashing is not
            assert np.isfinite(decode(bytes(data))).all()


@pytest.fixture
def watched() -> Iterator[tuple[str, list[str]]]:
    """A web server that notes requests; decoding must not cause any."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Suppresses the log of requests."""

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
    """A deadline that passes before the first block does not mean that the file is broken."""
    source = open_audio(io.BytesIO(wav(silence(60))), limit=100, cancelled=lambda: True)
    with pytest.raises(RequestTimedOut):
        list(source.blocks())
    assert source.seconds == 0
    source.close()


def test_cancelling_in_the_middle_gives_no_half_recording() -> None:
    given: list[Samples] = []
    source = open_audio(io.BytesIO(wav(silence(60))), limit=100, cancelled=lambda: len(given) > 1)
    with pytest.raises(RequestTimedOut):
        given.extend(source.blocks())
    assert 0 < source.seconds < 60
    source.close()


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8, 9, 10, 16, 17, 24, 33, 63, 64])
def test_every_number_of_channels_is_mixed_down(channels: int) -> None:
    samples = decode(pcm_wav(np.tile(SOUND[:, None], channels), 16_000))
    assert len(samples) == len(SOUND)
    assert pitch(samples) == pytest.approx(440, abs=3)
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.01), "mixing changes no level and clips nothing"


@pytest.mark.parametrize("channels", [65, 128, 255, 256])
def test_more_channels_are_refused_in_words(channels: int) -> None:
    with pytest.raises(NotAudio, match=f"{channels} channels"):
        decode(pcm_wav(np.tile(SOUND[:1600, None], channels), 16_000))


@pytest.mark.parametrize("kind", ["u1", "<i2", "<i4", "<f4", "<f8"])
def test_the_mean_of_the_channels_has_the_level_of_the_file(kind: str) -> None:
    samples = decode(pcm_wav(np.tile(SOUND[:, None], 9), 16_000, kind))
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.01)
    assert abs(float(samples.mean())) < 0.01, "no constant offset"


@pytest.mark.parametrize("rate", [1, 999, 2_000_001, 200_000_000, 2_147_483_647])
def test_absurd_rates_are_refused_before_they_cost_anything(rate: int) -> None:
    with pytest.raises(NotAudio):
        decode(pcm_wav(SOUND[:, None], rate), limit=1e9)


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, 1e30, -1e30, np.finfo(np.float32).max, 1e-45], ids=str
)
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_odd_floats_stay_within_bounds(value: float, rate: int) -> None:
    sound = SOUND.copy()
    sound[5000] = value
    samples = decode(float_wav(sound, rate))
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1
    far = np.abs(samples[-8000:]).max()
    assert far == pytest.approx(0.3, abs=0.01), "the rest is as it was"


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_integers_that_are_stored_as_floats_are_brought_to_scale(bits: int) -> None:
    samples = decode(float_wav(SOUND * np.float32(2.0 ** (bits - 1))))
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.01)
    assert pitch(samples) == pytest.approx(440, abs=3)


def test_the_scale_of_a_file_stays_when_it_becomes_quiet() -> None:
    loud, quiet = tone(6) * 32_768, tone(10) * 3
    samples = decode(float_wav(np.concatenate([loud, quiet])))
    assert np.abs(samples[-80_000:]).max() < 1e-3


def test_what_is_merely_too_loud_is_clipped() -> None:
    samples = decode(float_wav(SOUND * 10))
    assert np.abs(samples).max() == 1


class Broken:
    """Stands in for PyAV's stream of packets, because a real file that fails in this way would be large."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __iter__(self) -> Broken:
        return self

    def __next__(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [av.InvalidDataError(1, "x"), av.MemoryError(12, "x"), IndexError("x"), ValueError("x"), OverflowError()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("place", ["demux", "resample"])
def test_every_error_of_the_library_is_the_files(
    error: Exception, place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = open_audio(io.BytesIO(wav(SOUND)), limit=100, cancelled=lambda: False)
    if place == "demux":
        monkeypatch.setattr(source, "_frames", lambda: Broken(error))
    else:
        monkeypatch.setattr("app.audio.convert_to_mono.finished", lambda _: next(Broken(error)))
    caplog.set_level("INFO", "app.audio.decode")
    with pytest.raises(NotAudio) as caught:
        list(source.blocks())
    source.close()
    assert type(error).__name__ not in caught.value.message
    assert len([line for line in caplog.messages if type(error).__name__ in line]) == 1


def test_our_own_lack_of_memory_is_not_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_audio(io.BytesIO(wav(SOUND)), limit=100, cancelled=lambda: False)
    monkeypatch.setattr("app.audio.convert_to_mono.finished", lambda _: next(Broken(MemoryError())))
    with pytest.raises(MemoryError):
        list(source.blocks())
    source.close()


@pytest.mark.slow
def test_a_stream_that_changes_for_ever_is_given_up() -> None:
    convert = Converter()
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 16), np.float32), format="flt", layout="mono")
    for number in range(MOST_CHANGES):
        frame.sample_rate = 8000 + number
        convert.feed(frame)
    frame.sample_rate = 8000 + MOST_CHANGES
    with pytest.raises(NotAudio, match="change too often"):
        convert.feed(frame)
