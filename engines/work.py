"""What is asked of an engine, as values: they cross to other threads, processes and machines as they are.

Law: frozen, and nothing in them is callable, open or bound to a place: no functions, no files, no paths of an
upload; each value pickles. What a value means is decided by the verb of `Worker` that it names, never by
asking for its class.

Theory of operation: a `Place` opens an `Order` and gives a `Host`, one loaded engine wherever it lives. A
host does one `Work` at a time on each of its `calls` threads and returns one result for each row, in order.
Rows are independent of each other, so works of one key may be joined into a batch and taken apart again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from engines.types import (
    Diarization,
    DiarizeOptions,
    EngineOptions,
    Pcm,
    Samples,
    SpeakerSample,
    TranscribeOptions,
    Utterance,
    VoiceProfile,
    Window,
    WindowResult,
)

Row_co = TypeVar("Row_co", covariant=True)
Result_co = TypeVar("Result_co", covariant=True)
Joined = TypeVar("Joined", bound="Work[object, object]")
Result = TypeVar("Result")
Kind = Literal["transcription", "speech", "speaker", "diarization"]
FRAMES_PER_SECOND = 100
Seen: TypeAlias = Any
"""What a diarizer learned from one stretch of sound: numbers that pickle, opaque to everybody but it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be loaded."""

    kind: Kind
    engine: str
    """Name of its entry point."""
    folder: Path
    """Holds the verified weights, on the machine that loads them."""
    options: EngineOptions
    name: str = ""
    """Of the model, for the log."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A part of a sound that a diarizer hears at once."""

    samples: Samples
    """At `SAMPLE_RATE` hertz."""
    start: float
    """Seconds from the start of the audio."""
    end: bool
    """Whether it is the last one."""


@dataclass(frozen=True, slots=True, eq=False)
class Work(Generic[Row_co, Result_co]):
    """What is to be done to each of some rows."""

    rows: tuple[Row_co, ...]

    def by(self, worker: Worker) -> Sequence[Result_co]:
        """Calls the verb of `worker` that does this work. One result for each row, in order."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Ready(Work[None, None]):
    """Nothing but to be loaded."""

    rows: tuple[None, ...] = (None,)

    def by(self, worker: Worker) -> Sequence[None]:
        return self.rows


@dataclass(frozen=True, slots=True, eq=False)
class Transcribe(Work[Window, WindowResult]):
    """Windows to text."""

    options: TranscribeOptions

    def by(self, worker: Worker) -> Sequence[WindowResult]:
        return worker.transcribe(self)


@dataclass(frozen=True, slots=True, eq=False)
class Speak(Work[Utterance, Pcm]):
    """Utterances to sound."""

    def by(self, worker: Worker) -> Sequence[Pcm]:
        return worker.speak(self)


@dataclass(frozen=True, slots=True, eq=False)
class Embed(Work[Pcm, Samples]):
    """Speech to the unit vectors of its speakers."""

    def by(self, worker: Worker) -> Sequence[Samples]:
        return worker.embed(self)


@dataclass(frozen=True, slots=True, eq=False)
class Enroll(Work[SpeakerSample, VoiceProfile]):
    """Speakers to voices that a synthesizer can speak with."""

    cloner: str
    """Name of its entry point."""

    def by(self, worker: Worker) -> Sequence[VoiceProfile]:
        return worker.enroll(self)


@dataclass(frozen=True, slots=True, eq=False)
class Look(Work[Stretch, Seen]):
    """Stretches of sound to what `Assemble` needs of them."""

    def by(self, worker: Worker) -> Sequence[Seen]:
        return worker.look(self)


@dataclass(frozen=True, slots=True, eq=False)
class Assemble(Work[tuple[Seen, ...], Diarization]):
    """What was learned from all stretches of an audio (a row) to who spoke when."""

    options: DiarizeOptions

    def by(self, worker: Worker) -> Sequence[Diarization]:
        return worker.assemble(self)


class Worker(Protocol):
    """One verb for each kind of work. Each raises `EngineError`; a failure concerns all rows."""

    def transcribe(self, work: Transcribe) -> Sequence[WindowResult]: ...

    def speak(self, work: Speak) -> Sequence[Pcm]: ...

    def embed(self, work: Embed) -> Sequence[Samples]: ...

    def enroll(self, work: Enroll) -> Sequence[VoiceProfile]: ...

    def look(self, work: Look) -> Sequence[Seen]: ...

    def assemble(self, work: Assemble) -> Sequence[Diarization]: ...


@dataclass(frozen=True, slots=True)
class LookSize:
    """How a diarizer wants its sound to be cut."""

    span: int
    """Samples that one look hears."""
    hop: int
    """Samples by which the next look begins later; at most `span`."""


@dataclass(frozen=True, slots=True)
class LengthClasses:
    """Which lengths of windows may share a batch: those that come to the same length, rounded up.

    All numbers are frames of 10 ms.
    """

    step: int = 0
    """Lengths are rounded up to a multiple of it; 0: all lengths are one class."""
    padding: int = 0
    """Added before."""
    longest: int = 0
    """Lengths beyond it are one class."""

    def of(self, seconds: float) -> int:
        """The class of a window of so many seconds."""
        if not self.step:
            return 0
        frames = math.ceil(seconds * FRAMES_PER_SECOND) + self.padding
        return min(self.longest, math.ceil(frames / self.step) * self.step)


class Host(Protocol):
    """One loaded engine, wherever it lives. All calls block, but for the properties."""

    @property
    def calls(self) -> int:
        """Works that it takes at once, each on a thread of the caller."""
        ...

    @property
    def looks(self) -> LookSize | None:
        """Of a diarizer."""
        ...

    @property
    def lengths(self) -> LengthClasses:
        """Of a transcriber: which windows may share a batch."""
        ...

    @property
    def problem(self) -> str | None:
        """Why it cannot answer at the moment, though it was loaded; None if it can."""
        ...

    def prepare(self, window: Window) -> Window:
        """The window with everything that can be computed before its turn."""
        ...

    def do(self, work: Work[object, Result], patience: float, *, alone: bool = False) -> Sequence[Result]:
        """One result for each row, in order. Raises `EngineError`: `EngineDied` if the engine ended.

        `patience`: seconds after which nobody waits for the results any more; a host that can stop, may.
        `alone`: nothing else is done meanwhile, so that this work is to blame if the engine ends.
        """
        ...

    def close(self) -> None:
        """Gives the memory back; the host is not used again."""
        ...


class Place(Protocol):
    """Where engines are loaded: this process, a child process, another machine."""

    def check(self, kind: Kind, engine: str) -> None:
        """Raises `EngineMissing` where a library is known to be absent, so that no weights would help."""
        ...

    def open(self, order: Order) -> Host:
        """Returns when the engine is loaded. Raises `EngineError`."""
        ...


def joined(works: Sequence[Joined]) -> Joined:
    """One work with the rows of all, which are of one key."""
    if len(works) == 1:
        return works[0]
    return replace(works[0], rows=tuple(row for work in works for row in work.rows))
