"""A live session without a model: loud sound is speech, and each second of it is one word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from app.domain import ModelSpec
from app.domain.live import ItemCompleted, ItemFailed, ItemText, LiveEvent, LiveSettings, SoundFormat
from app.runtime.admission import Permit
from app.runtime.blocking_work import WorkThreads
from app.runtime.runner import RowWatch
from app.services.steps.live_memory import SoundClaim
from app.services.steps.live_session import LiveRules, LiveSession
from app.services.steps.live_transcriber import LookRules
from engines.contracts import SpeechStream
from engines.types import (
    SAMPLE_RATE,
    LanguageGuess,
    Samples,
    Segment,
    TranscribeOptions,
    Window,
    WindowResult,
    Word,
)
from tests.support.fake_runner import FakeRunner
from tests.support.waiting import until

WORDS_MODEL = ModelSpec("whisper-base", "transcription", "fake", Path("/nowhere"), 0, "")
WIDE = SoundFormat("pcm", SAMPLE_RATE)
FRAME_SAMPLES = 512
LOOKS = LookRules(quick=TranscribeOptions(beam_size=1, draft=True), careful=TranscribeOptions())
MANUAL = LiveSettings(model="whisper-1", format=WIDE, turns=None)
TURN = ["SpeechStarted", "SpeechStopped", "ItemCommitted", "ItemCompleted"]
"""The names of the events of a turn, apart from its text."""


class LoudIsSpeech:
    """A detector that takes loud frames for speech."""

    frame = FRAME_SAMPLES

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> Samples:
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = joined[whole:]
        loud = np.abs(joined[:whole].reshape(-1, FRAME_SAMPLES)).max(axis=1, initial=0) > 0.1
        chances: Samples = loud.astype(np.float32)
        return chances

    def flush(self) -> Samples:
        return np.zeros(0, np.float32)


@dataclass
class WordRunner(FakeRunner):
    """A runner that transcribes second N as the word `wN`, and notes the calls."""

    urgent: list[bool] = field(default_factory=list)
    options: list[TranscribeOptions] = field(default_factory=list)
    requests: set[int] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Transcriptions wait while this is not set."""
    begun: bool = False
    """Whether a batch has begun with the transcriptions that wait for `gate`; else they are in a queue."""
    ending: str = ""
    """What follows the last word of each transcription."""
    language: str = "en"
    """The language that it finds."""
    failures: list[Exception] = field(default_factory=list)
    """Errors that the next transcriptions raise, one each."""
    given_up: int = 0
    """Number of transcriptions that were cancelled."""

    async def transcribe(
        self,
        model: ModelSpec,
        window: Window,
        options: TranscribeOptions,
        permit: Permit,
        *,
        urgent: bool = False,
        watch: RowWatch | None = None,
    ) -> WindowResult:
        if watch:
            watch.follow(lambda: self.begun or self.gate.is_set())
        self.windows.append(window)
        self.urgent.append(urgent)
        self.requests.add(permit.number)
        self.options.append(options)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.failures:
            raise self.failures.pop(0)
        words = tuple(
            Word(f" w{second}", float(second), second + 0.9, 0.9)
            for second in range(round(window.start + 0.1), int(window.end + 0.5))
        )
        if words:
            words = (*words[:-1], replace(words[-1], text=words[-1].text + self.ending))
        segment = Segment(window.start, window.end, "".join(word.text for word in words), words=words)
        return WindowResult((segment,), LanguageGuess(window.language or self.language, 1.0))


@dataclass
class Stage:
    """A session, and all events that it has sent."""

    session: LiveSession
    runner: WordRunner
    events: list[LiveEvent]

    async def hear(self, kind: str, seconds: float, piece: float = 0.1) -> None:
        """Gives the session sound. `kind`: `speech` or `silence`. `piece`: seconds of each piece."""
        level = 8000 if kind == "speech" else 0
        for _ in range(round(seconds / piece)):
            await self.session.append(np.full(round(piece * SAMPLE_RATE), level, "<i2").tobytes())
            await asyncio.sleep(0)

    def of(self, *kinds: type) -> list[LiveEvent]:
        return [event for event in self.events if isinstance(event, kinds)]

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events if not isinstance(event, ItemText)]

    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, ItemCompleted)]


async def completed(stage: Stage, count: int = 1) -> None:
    """Returns once so many items have ended."""
    await until(lambda: len(stage.of(ItemCompleted, ItemFailed)) >= count, 20, "the end of an item")


@asynccontextmanager
async def staged(
    settings: LiveSettings | None = None,
    *,
    buffer: float = 600,
    ahead: float = 30,
    gate: bool = True,
    stream: SpeechStream | None = None,
) -> AsyncIterator[Stage]:
    """Opens a session at 16 kHz. `gate`: whether the model answers at once. `stream`: of another detector."""
    runner, threads, events = WordRunner(), WorkThreads(2), list[LiveEvent]()
    if gate:
        runner.gate.set()
    permit = runner.admit()
    session = LiveSession(
        runner,
        threads,
        lambda _: WORDS_MODEL,
        LiveRules(model="whisper-1", looks=LOOKS, buffer_seconds=buffer, ahead_seconds=ahead),
        permit,
        SoundClaim(permit),
        stream or LoudIsSpeech(),
        settings or LiveSettings(model="whisper-1", format=WIDE),
        events.append,
    )
    try:
        yield Stage(session, runner, events)
    finally:
        await session.close()
        threads.close()
