"""A spoken file: one step on a work thread for each utterance, one gain for all, and a limit on utterances
ahead.
"""

from __future__ import annotations

import threading
from contextlib import aclosing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from app.audio.encode import Encoder, encoder
from app.audio.voice_loudness import LoudnessBook
from app.container import Container
from app.domain import LocalVoice, ModelSpec, SpeechJob
from app.errors import RequestTimedOut
from app.runtime.admission import Admission
from app.runtime.blocking_work import WorkThreads
from app.services.steps.synthesis import SpokenFile, sounds_of
from app.text.instructions import Delivery
from app.text.utterances import Piece
from engines.types import Pcm, Voice
from tests.support.fake_runner import FakeRunner

VOICE = LocalVoice(Voice("alto", "en-US"), ModelSpec("tones", "speech", "fake", Path(), 0, ""))
TEXT = "One sentence is short. " * 40


def file_of(book: LoudnessBook) -> SpokenFile:
    return SpokenFile(
        book,
        "alto",
        loudness=-20.0,
        speed=1.0,
        delivery=Delivery(),
        encoder=partial(encoder, "pcm", whole=False),
    )


def hum(volume: float) -> Pcm:
    return Pcm((volume * np.sin(np.arange(24_000) / 10)).astype(np.float32), 24_000)


def test_the_first_utterance_settles_the_gain_of_all() -> None:
    file = file_of(LoudnessBook())
    piece = Piece("One.", "en-US", 0.0)
    levels = []
    for volume in (0.5, 0.05):
        samples = np.frombuffer(file.feed(piece, hum(volume)), np.int16).astype(np.float64)
        levels.append(np.sqrt(np.square(samples[5000:15_000]).mean()))
    assert levels[0] / levels[1] == pytest.approx(10, rel=0.2)
    file.flush()
    assert file.seconds == pytest.approx(2, abs=0.3)


def test_later_answers_know_the_voice() -> None:
    """The loudness of the second utterance is noted too, not only that of the first."""
    book = LoudnessBook()
    file = file_of(book)
    for volume in (0.5, 0.05):
        file.feed(Piece("One.", "en-US", 0.0), hum(volume))
    alone = LoudnessBook()
    alone.note("alto", hum(0.5))
    assert book.gain("alto", hum(0.05), -20.0) > alone.gain("alto", hum(0.5), -20.0) + 1


async def test_utterances_ahead_are_bounded() -> None:
    runner, threads = FakeRunner(), WorkThreads(1)
    with Admission(1, 60).admit() as permit:
        sounds = sounds_of(runner, threads, SpeechJob("tts-1", TEXT, "alto"), VOICE, permit, ahead=2)
        async with aclosing(sounds):
            await anext(sounds)
            assert runner.calls.count("synthesize") <= 2
            assert len([sound async for sound in sounds]) == runner.calls.count("synthesize") - 1
    threads.close()


async def test_a_deadline_ends_the_text() -> None:
    runner, threads = FakeRunner(), WorkThreads(1)
    with Admission(1, -1.0).admit() as permit:
        sounds = sounds_of(runner, threads, SpeechJob("tts-1", "One.", "alto"), VOICE, permit, ahead=2)
        async with aclosing(sounds):
            with pytest.raises(RequestTimedOut):
                _ = [sound async for sound in sounds]
    threads.close()


async def test_the_encoder_is_opened_beside_the_event_loop(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[threading.Thread] = []

    def watched(form: str, *, whole: bool, comment: str = "") -> Encoder:
        opened.append(threading.current_thread())
        return encoder("pcm", whole=whole, comment=comment)

    monkeypatch.setattr("app.services.speech.encoder", watched)
    speech = await container.speech.open(SpeechJob("tts-1", "Good morning.", "alloy"), "pcm")
    async with aclosing(speech), aclosing(speech.chunks()) as chunks:
        assert sum([len(data) async for data in chunks]) > 1000
    assert opened
    assert threading.main_thread() not in opened
    assert speech.usage.output_tokens > 0
