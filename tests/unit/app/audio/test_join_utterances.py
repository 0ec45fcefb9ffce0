"""Utterances are trimmed, joined without clicks, and brought to the tempo and the loudness that were
asked for.
"""

from __future__ import annotations

import numpy as np
import pytest

from app.audio.encode import LEAD_SAMPLES, SPEECH_RATE
from app.audio.join_utterances import PEAK_CEILING, UtteranceJoiner, trimmed
from app.audio.measure_loudness import LOUDNESS_GATE, loudness
from app.audio.voice_loudness import LoudnessBook
from engines.types import Pcm, Samples


def utterance(seconds: float, rate: int = 22_050, volume: float = 0.2, silence: float = 0.4) -> Pcm:
    times = np.arange(int(seconds * rate)) / rate
    quiet = np.zeros(int(silence * rate))
    hum = volume * np.sin(2 * np.pi * 250 * times)
    return Pcm(np.concatenate([quiet, hum, quiet]).astype(np.float32), rate)


def voiced(sounds: list[Pcm], pause: float = 0.2, tempo: float = 1.0, gain: float = 0.0) -> Samples:
    made = UtteranceJoiner(tempo=tempo, gain=gain)
    return np.concatenate([*(made.feed(sound, pause) for sound in sounds), made.flush()])


def test_silence_is_trimmed_and_pauses_are_ours() -> None:
    found = voiced([utterance(1.0), utterance(1.0)])
    expected = LEAD_SAMPLES / SPEECH_RATE + 2 * (1.0 + 2 * 0.03 + 0.2)
    assert len(found) / SPEECH_RATE == pytest.approx(expected, abs=0.01)
    heard = np.flatnonzero(np.abs(found) > 0.01)
    assert heard[0] / SPEECH_RATE < 0.1


@pytest.mark.parametrize("tempo", [0.25, 0.5, 0.8, 1.25, 2.0, 3.0, 4.0])
def test_tempo_is_true_and_keeps_the_pitch(tempo: float) -> None:
    sounds = [utterance(3.0) for _ in range(3)]
    found = voiced(sounds, tempo=tempo)
    lead = LEAD_SAMPLES / SPEECH_RATE
    assert (len(found) / SPEECH_RATE - lead) == pytest.approx(
        (len(voiced(sounds)) / SPEECH_RATE - lead) / tempo, rel=0.03
    )
    spectrum = np.abs(np.fft.rfft(found[SPEECH_RATE // 2 : SPEECH_RATE // 2 + 4096]))
    assert np.argmax(spectrum) * SPEECH_RATE / 4096 == pytest.approx(250, abs=15)


def test_joins_do_not_click() -> None:
    found = voiced([utterance(0.5, silence=0.0) for _ in range(4)], pause=0.05)
    steepest = 2 * np.pi * 250 / SPEECH_RATE * 0.2
    assert np.abs(np.diff(found)).max() < 1.2 * steepest


def test_rates_may_change_between_utterances() -> None:
    found = voiced([utterance(1.0, 22_050), utterance(1.0, 16_000), utterance(1.0, 24_000)])
    assert len(found) / SPEECH_RATE == pytest.approx(LEAD_SAMPLES / SPEECH_RATE + 3 * 1.26, abs=0.02)


def test_gain_does_not_clip() -> None:
    found = voiced([utterance(1.0, volume=0.5)], gain=18.0)
    assert np.abs(found).max() <= PEAK_CEILING + 0.01


def test_silence_is_no_sound() -> None:
    assert len(trimmed(Pcm(np.zeros(1000, np.float32)))) == 0
    assert loudness(Pcm(np.zeros(48_000, np.float32))) == LOUDNESS_GATE


def test_loudness_is_that_of_the_norm() -> None:
    # EBU Tech 3341, test signal 1: a 1 kHz sine at -23 dBFS in both channels is -23 LUFS; in one, 3 LU less.
    times = np.arange(48_000 * 5) / 48_000
    tone = Pcm((10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * times)).astype(np.float32), 48_000)
    assert loudness(tone) == pytest.approx(-26.0, abs=0.1)


def test_voices_come_to_the_same_loudness() -> None:
    book = LoudnessBook()
    levels = []
    for volume in (0.04, 0.2, 0.7):
        sound = utterance(3.0, volume=volume)
        made = UtteranceJoiner(tempo=1.0, gain=book.gain(volume, sound, -16.0))
        levels.append(loudness(Pcm(np.concatenate([made.feed(sound, 0.0), made.flush()]), SPEECH_RATE)))
    assert levels == pytest.approx([-16.0] * 3, abs=0.7)


def test_a_voice_keeps_its_gain_once_it_is_known() -> None:
    book = LoudnessBook()
    for _ in range(20):
        book.note("a", utterance(3.0))
    settled = book.gain("a", utterance(3.0), -16.0)
    assert book.gain("a", utterance(0.5, volume=0.4), -16.0) == pytest.approx(settled, abs=0.5)
