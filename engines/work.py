"""The work for an engine, as values that can be sent to other threads, processes and machines.

Law: frozen, and nothing in them is callable, open or bound to a place: no functions, no files, no paths of an
upload; each value pickles. What a value means is decided by the verb of `Worker` that it names, never by
asking for its class.

Theory of operation: a `Place` opens an `Order` and gives a `Host`, one loaded engine wherever it lives. A
host does one `Work` at a time on each of its `calls` threads and returns one result for each row, in order.
Rows are independent of each other, so works of one key may be joined into a batch and taken apart again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

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
"""Frames of the log-mel spectrogram of one second."""
Seen: TypeAlias = object
"""The result of a diarizer for one stretch of sound: it can be pickled, and only that diarizer knows its
content."""


@dataclass(frozen=True, slots=True)
class Order:
    """The model and the engine to load."""

    kind: Kind
    engine: str
    """Name of its entry point."""
    folder: Path
    """Holds the verified weights, on the machine that loads them."""
    options: EngineOptions
    name: str = ""
    """The name of the model, for the log."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A part of a sound that a diarizer processes in one call."""

    samples: Samples
    """At `SAMPLE_RATE` hertz."""
    start: float
    """Seconds from the start of the audio."""
    end: bool
    """Whether it is the last part of the audio."""


@dataclass(frozen=True, slots=True, eq=False)
class Work(Generic[Row_co, Result_co]):
    """A kind of work, with one or more rows to do."""

    rows: tuple[Row_co, ...]

    def by(self, worker: Worker) -> Sequence[Result_co]:
        """Calls the verb of `worker` that does this work. One result for each row, in order."""
        raise NotImplementedError

    @property
    def size(self) -> float:
        """How much there is to do, more than 0, in the unit of its kind: seconds, characters or rows."""
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Ready(Work[None, None]):
    """Load the engine, and nothing else."""

    rows: tuple[None, ...] = (None,)

    def by(self, worker: Worker) -> Sequence[None]:
        return self.rows


@dataclass(frozen=True, slots=True, eq=False)
class Transcribe(Work[Window, WindowResult]):
    """Transcribe windows."""

    options: TranscribeOptions

    def by(self, worker: Worker) -> Sequence[WindowResult]:
        return worker.transcribe(self)

    @property
    def size(self) -> float:
        return sum(max(1.0, window.pcm.seconds) for window in self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Speak(Work[Utterance, Pcm]):
    """Synthesize utterances."""

    def by(self, worker: Worker) -> Sequence[Pcm]:
        return worker.speak(self)

    @property
    def size(self) -> float:
        return sum(max(1, len(utterance.text)) for utterance in self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Embed(Work[Pcm, Samples]):
    """Compute the unit vectors of speakers."""

    def by(self, worker: Worker) -> Sequence[Samples]:
        return worker.embed(self)

    @property
    def size(self) -> float:
        return sum(max(1.0, sound.seconds) for sound in self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Enroll(Work[SpeakerSample, VoiceProfile]):
    """Make voice profiles of speakers, for a synthesizer."""

    cloner: str
    """Name of its entry point."""

    def by(self, worker: Worker) -> Sequence[VoiceProfile]:
        return worker.enroll(self)


@dataclass(frozen=True, slots=True, eq=False)
class Look(Work[Stretch, Seen]):
    """Process stretches of sound for `Assemble`."""

    def by(self, worker: Worker) -> Sequence[Seen]:
        return worker.look(self)


@dataclass(frozen=True, slots=True, eq=False)
class Assemble(Work[tuple[Seen, ...], Diarization]):
    """Join the results of all stretches of an audio (one row) to its turns."""

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
    """The cutting rules of a diarizer."""

    span: int
    """Samples in one look."""
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


def always() -> bool:
    """For callers that need the results in any case."""
    return True


class Host(Protocol):
    """One loaded engine, wherever it lives. All calls block, but for the properties."""

    @property
    def calls(self) -> int:
        """Calls of `do` that may be made in parallel, each on a thread of the caller."""
        ...

    @property
    def looks(self) -> LookSize | None:
        """The cutting rules of a diarizer."""
        ...

    @property
    def lengths(self) -> LengthClasses:
        """Which windows may share a batch; for transcribers only."""
        ...

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""
        ...

    @property
    def problem(self) -> str | None:
        """Why it cannot answer at the moment, though it was loaded; None if it can."""
        ...

    def prepare(self, window: Window) -> Window:
        """The window with everything that can be computed before its turn."""
        ...

    def do(
        self,
        work: Work[object, Result],
        patience: float,
        *,
        alone: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> Sequence[Result]:
        """One result for each row, in order. Raises `EngineError`: `EngineDied` if the engine ended.

        `patience`: seconds after which nobody waits for the results any more; a host that can stop the work
        may do so. `alone`: nothing else is done meanwhile, so that this work is to blame if the engine ends.
        `wanted`: whether somebody waits for the results; work that has not begun is given up (`GivenUp`).
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

    def stop(self) -> None:
        """The server is stopping: from now on no call waits for an engine that is not loaded, and nothing is
        loaded. Work that runs goes on as long as it is wanted.
        """
        ...


def joined(works: Sequence[Joined]) -> Joined:
    """Joins works of equal keys into one work with all their rows."""
    if len(works) == 1:
        return works[0]
    return replace(works[0], rows=tuple(row for work in works for row in work.rows))
