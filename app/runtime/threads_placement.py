"""The placement `threads`: engines run in this process, on the thread that calls them.

Law: imports engines and nothing of the app, so that a child process can use it too. One host class for each
kind of model; a kind of work that a host does not support is refused with a sentence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from engines.catalog import EngineFinder
from engines.contracts import (
    Diarizer,
    SpeakerEncoder,
    Synthesizer,
    Transcriber,
    VoiceCloner,
)
from engines.errors import DeviceLost, EngineError, is_device_lost
from engines.types import (
    SAMPLE_RATE,
    Diarization,
    Pcm,
    Samples,
    TranscribeOptions,
    Utterance,
    VoiceProfile,
    Window,
    WindowResult,
)
from engines.work import (
    Assemble,
    Embed,
    Enroll,
    Host,
    Kind,
    LengthClasses,
    Look,
    LookSize,
    Order,
    Result,
    Seen,
    Speak,
    Transcribe,
    Work,
    always,
)

log = logging.getLogger(__name__)
WARM_UP = TranscribeOptions(beam_size=1, temperatures=(0.0,), draft=True)
"""A draft: otherwise silence is doubted, and the start takes the time of two full windows longer."""
WARM_UP_TEXT = "A."
WARM_UP_SECONDS = 5.9
"""Sound of this length fills the shortest encoding of Whisper, so that warming up does not have to wait for
the encoding of silence."""
GPU_WARM_UPS = (
    TranscribeOptions(beam_size=1, temperatures=(0.0,)),
    TranscribeOptions(temperatures=(0.0,)),
    TranscribeOptions(temperatures=(0.4,)),
)
"""Calls that use each kind of search once: a GPU loads the code of a search on its first use, and for newer
GPUs the driver compiles it then.
"""


class ThreadsPlacement:
    """Loads engines into this process."""

    def __init__(self, finder: EngineFinder | None = None) -> None:
        self._finder = finder or EngineFinder()

    def check(self, kind: Kind, engine: str) -> None:
        if kind == "diarization":
            self._finder.diarizers(engine).check()

    def open(self, order: Order) -> Host:
        openers: dict[str, Callable[[Order], _LocalHost]] = {
            "transcription": self._transcriber,
            "speech": self._synthesizer,
            "diarization": self._diarizer,
            "speaker": self._speaker_encoder,
        }
        host = openers[order.kind](order)
        host.device = host.device or ("cuda" if order.options.device == "cuda" else "cpu")
        return host

    def stop(self) -> None:
        """Does nothing: a load on a thread cannot be stopped, and no call waits for one."""

    def _transcriber(self, order: Order) -> _LocalHost:
        engine = self._finder.transcribers(order.engine)(order.folder, order.options)
        on_gpu = getattr(engine, "device", "") == "cuda"
        silence = np.zeros(int(WARM_UP_SECONDS * SAMPLE_RATE), np.float32)
        with suppress(Exception):  # the first real request will raise the same failure
            for options in GPU_WARM_UPS if on_gpu else (WARM_UP,):
                engine.transcribe([Window(Pcm(silence))], options)
        return TranscriberHost(engine)

    def _synthesizer(self, order: Order) -> _LocalHost:
        kind = self._finder.synthesizers(order.engine)
        engine = kind.load(order.folder, order.options)
        with suppress(Exception):  # as above: the first real request will raise the same failure
            voice = kind.voices(order.folder)[0]
            speak = getattr(engine, "warm_up", engine.synthesize)  # an engine may have a shorter way
            speak(Utterance(WARM_UP_TEXT, voice.name, voice.language))
        return SynthesizerHost(engine, self._finder.cloners)

    def _diarizer(self, order: Order) -> _LocalHost:
        return DiarizerHost(self._finder.diarizers(order.engine).load(order.folder, order.options))

    def _speaker_encoder(self, order: Order) -> _LocalHost:
        return EncoderHost(self._finder.speaker_encoders(order.engine)(order.folder, order.options))


class _LocalHost:
    """The base of the hosts below; it refuses every kind of work, and each subclass supports its own."""

    calls = 1
    looks: LookSize | None = None
    lengths = LengthClasses()
    problem: str | None = None
    device = ""
    """`cpu` or `cuda`; empty if the engine does not report it."""

    def prepare(self, window: Window) -> Window:
        return window

    def rest(self) -> None:
        """Gives back memory that the engine keeps for its next work. Called when there was none for a
        while.
        """

    def do(
        self,
        work: Work[object, Result],
        patience: float,
        *,
        alone: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> Sequence[Result]:
        """Does the work. `patience` and `wanted` are not used, because a thread cannot be stopped; the caller
        may stop waiting.

        Raises `DeviceLost` if this process can no longer use the GPU.
        """
        try:
            return work.by(self)
        except Exception as failure:
            if not is_device_lost(failure):
                raise
            lost = DeviceLost()
            self.problem = str(lost)
            raise lost from failure

    def transcribe(self, work: Transcribe) -> Sequence[WindowResult]:
        raise _refusal("transcribe")

    def close(self) -> None:
        raise NotImplementedError

    def speak(self, work: Speak) -> Sequence[Pcm]:
        raise _refusal("speak")

    def embed(self, work: Embed) -> Sequence[Samples]:
        raise _refusal("tell voices by a vector")

    def enroll(self, work: Enroll) -> Sequence[VoiceProfile]:
        raise _refusal("make voices")

    def look(self, work: Look) -> Sequence[Seen]:
        raise _refusal("tell speakers apart")

    def assemble(self, work: Assemble) -> Sequence[Diarization]:
        raise _refusal("tell speakers apart")


class TranscriberHost(_LocalHost):
    """A speech-to-text engine."""

    def __init__(self, engine: Transcriber) -> None:
        self._engine = engine
        self.calls = engine.calls
        self.lengths = engine.lengths
        self.device = str(getattr(engine, "device", ""))

    def prepare(self, window: Window) -> Window:
        return self._engine.prepare(window)

    def transcribe(self, work: Transcribe) -> Sequence[WindowResult]:
        return self._engine.transcribe(work.rows, work.options)

    def rest(self) -> None:
        _rest(self._engine)

    def close(self) -> None:
        self._engine.close()


class SynthesizerHost(_LocalHost):
    """A text-to-speech engine, and the cloners that work with it."""

    def __init__(self, engine: Synthesizer, cloners: Callable[[str], VoiceCloner]) -> None:
        self._engine = engine
        self._cloners = cloners

    def speak(self, work: Speak) -> Sequence[Pcm]:
        return [self._engine.synthesize(utterance) for utterance in work.rows]

    def rest(self) -> None:
        _rest(self._engine)

    def enroll(self, work: Enroll) -> Sequence[VoiceProfile]:
        cloner = self._cloners(work.cloner)
        return [cloner.enroll(sample, self._engine) for sample in work.rows]

    def close(self) -> None:
        self._engine.close()


class EncoderHost(_LocalHost):
    """A speaker encoder."""

    def __init__(self, engine: SpeakerEncoder) -> None:
        self._engine = engine

    def embed(self, work: Embed) -> Sequence[Samples]:
        return [self._engine.embed(sound) for sound in work.rows]

    def rest(self) -> None:
        _rest(self._engine)

    def close(self) -> None:
        self._engine.close()


class DiarizerHost(EncoderHost):
    """A diarizer, which is a speaker encoder too."""

    def __init__(self, engine: Diarizer) -> None:
        super().__init__(engine)
        self._diarizer = engine
        self.device = str(getattr(engine, "device", ""))
        self.looks = LookSize(engine.span, engine.hop)

    def look(self, work: Look) -> Sequence[Seen]:
        return [self._diarizer.look(part.samples, part.start, end=part.end) for part in work.rows]

    def assemble(self, work: Assemble) -> Sequence[Diarization]:
        return [self._diarizer.assemble(seen, work.options) for seen in work.rows]


def _rest(engine: object) -> None:
    """Lets an engine give memory back; engines need not be able to."""
    rest = getattr(engine, "rest", None)
    if rest:
        rest()


def _refusal(verb: str) -> EngineError:
    return EngineError(f"This model does not {verb}.")
