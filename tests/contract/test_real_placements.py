"""The real engines give the same results in a process of their own as in the server's, and give their
memory back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.runtime.process_host import ProcessHost
from app.runtime.processes_placement import ProcessesPlacement
from app.runtime.threads_placement import ThreadsPlacement
from engines.types import (
    SAMPLE_RATE,
    DiarizeOptions,
    EngineOptions,
    Pcm,
    TranscribeOptions,
    Utterance,
    Window,
)
from engines.work import Assemble, Embed, Host, Kind, Look, Order, Speak, Stretch, Transcribe
from tests.conftest import JFK
from tests.support.sound import decode

pytestmark = [pytest.mark.real, pytest.mark.slow]
SPEECH = Pcm(decode(JFK.read_bytes()))


def transcribed(host: Host) -> object:
    window = host.prepare(Window(SPEECH))
    work = Transcribe((window, Window(SPEECH, language="en")), TranscribeOptions(words=True))
    return [(row.segments, row.language) for row in host.do(work, 60.0)]


def spoken(voice: str) -> Callable[[Host], object]:
    def speak(host: Host) -> object:
        sounds = host.do(Speak((Utterance("Ask what you can do.", voice, "en-US"),)), 60.0)
        return [sound.rate for sound in sounds], [len(sound.samples) > sound.rate for sound in sounds]

    return speak


def told_apart(host: Host) -> object:
    seen = host.do(Look((Stretch(SPEECH.samples[: 10 * SAMPLE_RATE], 0.0, end=True),)), 60.0)
    (found,) = host.do(Assemble((tuple(seen),), DiarizeOptions()), 60.0)
    (vector,) = host.do(Embed((SPEECH,)), 60.0)
    return found, np.round(vector, 4).tolist()


def embedded(host: Host) -> object:
    return [np.round(vector, 4).tolist() for vector in host.do(Embed((SPEECH,)), 60.0)]


ENGINES: list[tuple[Kind, str, str, Callable[[Host], object]]] = [
    ("transcription", "faster-whisper", "whisper-base", transcribed),
    ("speech", "piper", "piper-en-us-joe-medium", spoken("en_US-joe-medium")),
    ("speech", "kokoro", "kokoro-82m", spoken("af_heart")),
    ("speaker", "campplus", "pyannote-starter", embedded),
    ("diarization", "speakers", "pyannote-starter", told_apart),
]


@pytest.mark.parametrize(
    ("kind", "engine", "model", "ask"), ENGINES, ids=[f"{kind} {engine}" for kind, engine, _, _ in ENGINES]
)
def test_an_engine_says_the_same_and_its_process_ends(
    storage: Path, kind: Kind, engine: str, model: str, ask: Callable[[Host], object]
) -> None:
    order = Order(
        kind, engine, storage / "weights" / model, EngineOptions(device="cpu", adaptive=True), model
    )
    here = ThreadsPlacement().open(order)
    expected = ask(here)
    here.close()
    host = ProcessesPlacement().open(order)
    assert isinstance(host, ProcessHost)
    assert ask(host) == expected
    assert host._child
    pid = host._child.pid
    assert host._child.memory > 50 << 20
    host.close()
    assert not Path(f"/proc/{pid}").exists(), "all that it had is free"
