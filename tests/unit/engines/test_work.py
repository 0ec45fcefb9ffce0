"""Work as values: each value can be sent to another process, and means the same there."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from engines.types import (
    DiarizeOptions,
    EngineOptions,
    KnownSpeaker,
    Pcm,
    SpeakerSample,
    TranscribeOptions,
    Utterance,
    Window,
)
from engines.work import (
    Assemble,
    Embed,
    Enroll,
    Look,
    Order,
    Ready,
    Speak,
    Stretch,
    Transcribe,
    Work,
    joined,
)

SOUND = Pcm(np.linspace(-1, 1, 160, dtype=np.float32))
KNOWN = KnownSpeaker("Ann", np.ones(4, np.float32))
WORKS: list[Work[object, object]] = [
    Ready(),
    Transcribe((Window(SOUND, prompt="so", features=np.ones((80, 4), np.float32)),), TranscribeOptions()),
    Speak((Utterance("Hello.", "low", "en", b"profile"),)),
    Embed((SOUND,)),
    Enroll((SpeakerSample(SOUND, np.ones(4, np.float32), "en"),), "pocket-tts"),
    Look((Stretch(SOUND.samples, 20.0, end=True),)),
    Assemble((((1, np.ones(3)), (2, np.zeros(3))),), DiarizeOptions(speakers=2, known=(KNOWN,))),
]


def alike(one: object, two: object) -> bool:
    """Whether two values are equal in every field and in every number of their arrays."""
    if isinstance(one, np.ndarray):
        return isinstance(two, np.ndarray) and one.dtype == two.dtype and np.array_equal(one, two)
    if isinstance(one, tuple):
        return isinstance(two, tuple) and len(one) == len(two) and all(map(alike, one, two))
    if is_dataclass(one):
        names = [field.name for field in fields(one)]
        return type(one) is type(two) and all(alike(getattr(one, n), getattr(two, n)) for n in names)
    return one == two


@pytest.mark.parametrize("work", WORKS, ids=lambda work: type(work).__name__)
def test_work_pickles(work: Work[object, object]) -> None:
    for protocol in (pickle.DEFAULT_PROTOCOL, 5):
        assert alike(pickle.loads(pickle.dumps(work, protocol)), work)  # noqa: S301 - our own bytes


def test_an_order_pickles() -> None:
    order = Order("speech", "piper", Path("voices/joe"), EngineOptions(threads=2))
    assert pickle.loads(pickle.dumps(order)) == order  # noqa: S301 - our own bytes


def test_sound_crosses_beside_the_pickle() -> None:
    """With protocol 5, samples are buffers that need not be copied into the message."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(WORKS[1], 5, buffer_callback=buffers.append)
    assert len(buffers) == 2
    assert alike(pickle.loads(data, buffers=buffers), WORKS[1])  # noqa: S301 - our own bytes


def test_work_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        WORKS[2].rows = ()  # type: ignore[misc]  # what is tried


def test_works_are_joined_row_by_row() -> None:
    one, two = (Transcribe((Window(SOUND, start=at),), TranscribeOptions()) for at in (0.0, 30.0))
    both = joined([one, two])
    assert [window.start for window in both.rows] == [0.0, 30.0]
    assert both.options == one.options
    assert joined([one]) is one
