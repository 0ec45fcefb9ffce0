"""Sound that arrives in pieces of any size is decoded to the same samples."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from app.audio.live_decode import PieceDecoder, a_law, mu_law
from app.domain.live import SoundFormat


def tone(rate: int, seconds: float = 1.0) -> np.ndarray:
    return (np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate) * 16_000).astype("<i2")


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("size", [1, 333, 4800])
def test_pieces_join_without_clicks_at_16_khz(rate: int, size: int) -> None:
    data = tone(rate, 0.2 if size == 1 else 1.0).tobytes()
    whole, pieces = PieceDecoder(SoundFormat("pcm", rate)), PieceDecoder(SoundFormat("pcm", rate))
    expected = np.concatenate([whole.feed(data), whole.flush()])
    parts = [pieces.feed(data[at : at + size]) for at in range(0, len(data), size)]
    got = np.concatenate([*parts, pieces.flush()])
    assert abs(len(got) - len(data) // 2 * 16_000 / rate) <= 2
    assert np.array_equal(got, expected)


def test_the_resampler_is_never_given_long_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    resampler = av.AudioResampler

    class Counting:
        def __init__(self, *options: Any) -> None:
            self._real = resampler(*options)

        def resample(self, frame: Any) -> Any:
            given.append(frame.samples if frame else 0)
            return self._real.resample(frame)

    monkeypatch.setattr(av, "AudioResampler", Counting)
    decoder = PieceDecoder(SoundFormat("pcm", 24_000))
    got = np.concatenate([decoder.feed(tone(24_000, 10.0).tobytes()), decoder.flush()])
    assert abs(len(got) - 160_000) <= 2
    assert max(given) == 12_000, "its buffers are as long as the longest piece, and stay so"


def test_a_lone_byte_can_be_forgotten() -> None:
    decoder = PieceDecoder(SoundFormat("pcm", 16_000))
    decoder.feed(b"\1\2\3")
    decoder.forget()
    assert decoder.feed(b"\1\0").tolist() == [1]


def test_a_lone_byte_waits_for_the_next_piece() -> None:
    decoder = PieceDecoder(SoundFormat("pcm", 16_000))
    assert decoder.feed(b"\x01").tolist() == []
    assert decoder.feed(b"\x02\x03\x04").tolist() == [0x0201, 0x0403]


def test_g711_codes_mean_what_the_standard_says() -> None:
    assert mu_law(bytes([0xFF, 0x7F, 0x80, 0x00, 0xF0])).tolist() == [0, 0, 32_124, -32_124, 120]
    assert a_law(bytes([0xD5, 0x55, 0xAA, 0x2A])).tolist() == [8, -8, 32_256, -32_256]


def test_g711_is_8_khz() -> None:
    decoder = PieceDecoder(SoundFormat("pcmu", 8000))
    got = np.concatenate([decoder.feed(b"\xff" * 800), decoder.flush()])
    assert abs(len(got) - 1600) <= 2
