"""Engines that do what their input says, so that a test can steer them in whatever process they run.

A window's prompt, an utterance's text: words such as `wait:PATH` (until that file exists), `fail`, `memory`,
`exit`, `miscount`. `touch:PATH` makes a file when the work begins, `note:PATH` adds a line with the number of
the process. `abort`, `segfault`, `eat`, `hang`, `grab` and `quit` end or block the process; `grow` leaks,
`shrink` gives that back; `lose:PATH` loses the GPU once.
"""

from __future__ import annotations

import ctypes
import os
import resource
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from engines.catalog import EngineFinder
from engines.contracts import (
    DiarizationEngine,
    LoadSpeakerEncoder,
    LoadTranscriber,
    SpeechEngine,
    Synthesizer,
    VoiceCloner,
)
from engines.errors import EngineError
from engines.types import (
    SAMPLE_RATE,
    Diarization,
    DiarizeOptions,
    EngineOptions,
    LanguageGuess,
    Pcm,
    Samples,
    Segment,
    SpeakerSample,
    SpeakerTurn,
    TranscribeOptions,
    Utterance,
    Voice,
    VoiceProfile,
    Window,
    WindowResult,
)
from engines.work import LengthClasses

LONGEST_WAIT_SECONDS = 20.0
LOOK = "look"
"""A file in a diarizer's folder with words that are obeyed for each stretch of an audio."""
BROKEN = "broken"
"""If a model's folder contains this file, the model cannot be loaded."""
LOAD = "load"
"""A file in a transcriber's folder with words that are obeyed when it is loaded."""
VECTOR = np.array([1, 0, 0], np.float32)


def obey(script: str) -> None:
    """Does what the words of the script say. Raises the errors that they ask for."""
    for word in script.split():
        verb, _, path = word.partition(":")
        if verb in _WITH_PATH:
            _WITH_PATH[verb](Path(path))
        elif verb == "fail":
            raise EngineError("as the script says")
        elif verb == "memory":
            raise MemoryError
        elif verb == "exit":
            raise SystemExit(1)
        elif verb in _CRASHES:
            _CRASHES[verb]()
        elif verb == "sleep":
            time.sleep(float(path))


def _eat() -> None:
    """Allocates memory until it fails. The memory of the process is limited first, to protect the machine."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), resource.RLIM_INFINITY))
    eaten = []
    while True:
        eaten.append(np.ones(64 << 20, np.uint8))


def _grow() -> None:
    """Allocates 64 MiB and keeps them."""
    _LEAK.append(np.ones(64 << 20, np.uint8))


def _hang() -> None:
    time.sleep(1000)


def _grab() -> None:
    """Runs native code that never releases Python's GIL."""
    ctypes.PyDLL(None).sleep(1000)


def _shrink() -> None:
    """Frees the memory that `_grow` keeps, after the answer."""
    threading.Timer(0.3, _LEAK.clear).start()


_LEAK: list[object] = []
_CRASHES: dict[str, Callable[[], object]] = {
    "abort": os.abort,
    "segfault": lambda: ctypes.string_at(0),
    "eat": _eat,
    "grow": _grow,
    "shrink": _shrink,
    "hang": _hang,
    "grab": _grab,
    "quit": lambda: os._exit(3),
}


def _once(path: Path) -> None:
    """Aborts the process, but only the first time."""
    if not path.exists():
        path.touch()
        os.abort()


def _lose(path: Path) -> None:
    """Reports that the GPU is lost, but only the first time."""
    if not path.exists():
        path.touch()
        raise RuntimeError("CUDA failed with error an illegal memory access was encountered")


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise EngineError(f"nobody made {path.name}")
        time.sleep(0.002)


def _note(path: Path) -> None:
    with path.open("a") as file:
        file.write(f"{os.getpid()}\n")


_WITH_PATH: dict[str, Callable[[Path], object]] = {
    "touch": Path.touch,
    "note": _note,
    "wait": _wait_for,
    "once": _once,
    "lose": _lose,
}


class ScriptedTranscriber:
    """A transcriber whose text is the start time of the window and the number of windows in its batch."""

    calls = 1
    lengths = LengthClasses()

    def prepare(self, window: Window) -> Window:
        return window

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        for window in windows:
            obey(window.prompt)
        results = [self._result(window, len(windows)) for window in windows]
        wrong = [window for window in windows if window.prompt == "miscount"]
        return results[: len(results) - len(wrong)]

    def _result(self, window: Window, rows: int) -> WindowResult:
        segment = Segment(window.start, window.end, f"{window.start:g} of {rows}")
        return WindowResult((segment,), LanguageGuess("en", 1.0))

    def close(self) -> None:
        """Has nothing to free."""


class ScriptedSynthesizer:
    """A synthesizer that gives one sample for each character of the text."""

    def synthesize(self, utterance: Utterance) -> Pcm:
        obey(utterance.text)
        return Pcm(np.zeros(len(utterance.text), np.float32), 24_000)

    def close(self) -> None:
        """Has nothing to free."""


class ScriptedEncoder:
    """An encoder that hears one and the same speaker in every sound."""

    def embed(self, sound: Pcm) -> Samples:
        return VECTOR * np.float32(len(sound.samples))

    def close(self) -> None:
        """Has nothing to free."""


class ScriptedDiarizer(ScriptedEncoder):
    """A diarizer that gives one turn for each stretch."""

    span, hop = 2 * SAMPLE_RATE, SAMPLE_RATE

    def __init__(self, folder: Path) -> None:
        self._script = folder / LOOK

    def look(self, samples: Samples, start: float, *, end: bool) -> tuple[float, float]:
        if samples.any():
            raise EngineError("not silent")
        if self._script.exists():
            obey(self._script.read_text())
        return start, start + len(samples) / SAMPLE_RATE

    def assemble(self, seen: Sequence[object], options: DiarizeOptions) -> Diarization:
        spans = cast("Sequence[tuple[float, float]]", seen)
        return Diarization(tuple(SpeakerTurn(start, end, 0) for start, end in spans), (), ("A",))


class _Speech:
    COST = 0.01
    QUALITY = 0
    HONOURS: frozenset[str] = frozenset()

    def voices(self, folder: Path) -> tuple[Voice, ...]:
        return (Voice("one", "en-US"),)

    def load(self, folder: Path, options: EngineOptions) -> ScriptedSynthesizer:
        return ScriptedSynthesizer()


class _Diarization:
    def check(self) -> None:
        """This engine needs no library."""

    def load(self, folder: Path, options: EngineOptions) -> ScriptedDiarizer:
        return ScriptedDiarizer(folder)


class _Cloner:
    ENGINE = MODEL = "scripted"
    RATE = 16_000
    LOADS = True

    def enroll(self, sample: SpeakerSample, synthesizer: Synthesizer | None) -> VoiceProfile:
        assert synthesizer is not None
        return VoiceProfile("scripted", sample.language.encode(), "", 0.0)


def load_transcriber(folder: Path, options: EngineOptions) -> ScriptedTranscriber:
    if (folder / BROKEN).exists():
        raise EngineError("the weights are broken")
    if (folder / LOAD).exists():
        obey((folder / LOAD).read_text())
    return ScriptedTranscriber()


def load_encoder(folder: Path, options: EngineOptions) -> ScriptedEncoder:
    return ScriptedEncoder()


def _transcribers(name: str) -> LoadTranscriber:
    return load_transcriber


def _synthesizers(name: str) -> SpeechEngine:
    return _Speech()


def _diarizers(name: str) -> DiarizationEngine:
    return _Diarization()


def _encoders(name: str) -> LoadSpeakerEncoder:
    return load_encoder


def _cloners(name: str) -> VoiceCloner:
    if name != "scripted":
        raise EngineError(f"There is no engine `{name}`.")
    return _Cloner()


FINDER = EngineFinder(_transcribers, _synthesizers, _diarizers, _encoders, _cloners)
