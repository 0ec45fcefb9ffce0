"""Encoders: a decoder gives back what was encoded, as a stream or as a whole file."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.audio.encode import AAC_FRAME_SAMPLES, LEAD_SAMPLES, SPEECH_RATE, encoder
from app.domain import AudioFormat
from engines.types import Samples
from tests.support.decoded import decode

FORMATS: tuple[AudioFormat, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")


def speech(seconds: float) -> Samples:
    """Sound that begins with the silence that encoders need."""
    times = np.arange(int(seconds * SPEECH_RATE)) / SPEECH_RATE
    hum = 0.3 * np.sin(2 * np.pi * 300 * times)
    return np.concatenate([np.zeros(LEAD_SAMPLES), hum]).astype(np.float32)


def encode(form: AudioFormat, samples: Samples, block: int, *, whole: bool) -> bytes:
    made = encoder(form, whole=whole)
    parts = [made.feed(samples[at : at + block]) for at in range(0, len(samples), block)]
    return b"".join(parts) + made.flush()


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("form", FORMATS)
@settings(deadline=None, max_examples=8)
@given(st.floats(0.05, 4.0), st.integers(500, 50_000))
def test_decoding_gives_the_duration_and_the_sound(
    form: AudioFormat, whole: bool, seconds: float, block: int
) -> None:
    samples = speech(seconds)
    found = decode(encode(form, samples, block, whole=whole), form)
    padded = (len(samples) + -len(samples) % AAC_FRAME_SAMPLES) / SPEECH_RATE
    assert found.seconds == pytest.approx(padded, abs=0.020)
    at = int((0.06 + seconds / 2) * found.rate)
    middle = found.samples[max(0, at - found.rate // 50) : at + found.rate // 50]
    assert np.abs(middle).max() == pytest.approx(0.3, rel=0.35)
    lead = found.samples[: int(0.045 * found.rate)]
    assert np.abs(lead).max() < 0.02, "what a decoder makes of the start is heard"


@pytest.mark.parametrize("form", ["mp3", "flac", "wav", "opus"])
def test_a_whole_file_tells_its_length(form: AudioFormat) -> None:
    samples = speech(2.0)
    found = decode(encode(form, samples, 10_000, whole=True), form)
    assert found.claimed == pytest.approx(found.seconds, abs=0.03)


def test_a_whole_wav_has_the_right_sizes() -> None:
    data = encode("wav", speech(1.0), 5000, whole=True)
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    at = data.index(b"data") + 4
    assert int.from_bytes(data[at : at + 4], "little") == len(data) - at - 4


@pytest.mark.parametrize("form", FORMATS)
def test_bytes_come_before_the_end(form: AudioFormat) -> None:
    made = encoder(form, whole=False)
    assert made.feed(speech(1.0))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("form", ["mp3", "opus", "flac", "wav"])
def test_a_comment_is_in_the_file(form: AudioFormat, whole: bool) -> None:
    made = encoder(form, whole=whole, comment="made here")
    data = made.feed(speech(0.5)) + made.flush()
    with av.open(io.BytesIO(data)) as container:
        kept = dict(container.metadata) | dict(container.streams.audio[0].metadata)
    assert "made here" in {value for key, value in kept.items() if key.lower() == "comment"}


def test_loud_samples_are_clipped_not_wrapped() -> None:
    made = encoder("pcm", whole=False)
    data = made.feed(np.array([2.0, -2.0, 1.0], np.float32))
    assert np.frombuffer(data, "<i2").tolist() == [32767, -32768, 32767]
