"""Speech and diarization on the CPU and, where ONNX Runtime has CUDA, on the GPU, for `bench_gpu`.

So that whoever has a GPU learns whether `speech.device` and `diarization.device` pay there.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpu_figures import Figure, Load, with_use
from bench.gpu_watch import watched
from engines import catalog
from engines.types import DiarizeOptions, EngineOptions, Utterance
from tests.support.sound import RATE, decode

TEXT = "The first sound of this sentence is what a listener waits for."
ENGINES = {"piper": "piper-en-us-joe-medium", "kokoro": "kokoro-82m"}
SPEAKERS, SPEAKERS_MODEL = "speakers", "pyannote-starter"
ROUNDS = 5
CUDA = "CUDAExecutionProvider"


def devices() -> list[str]:
    """The devices that this build of ONNX Runtime can use on this machine."""
    import onnxruntime

    return ["cpu", *(["cuda"] if CUDA in onnxruntime.get_available_providers() else [])]


def onnx_measures(storage: Path, load: Load, device: str) -> list[Callable[[], list[Figure]]]:
    weights = storage / "weights"
    speaking = [lambda engine=engine: [_speech(engine, weights, device)] for engine in ENGINES]
    return [*speaking, lambda: [_speakers(weights, load, device)]]


def _where(device: str) -> str:
    return "the GPU" if device == "cuda" else "the CPU"


def _speech(engine: str, weights: Path, device: str) -> Figure:
    """How many seconds it takes to synthesize one sentence, for which a listener has to wait."""
    kind, folder = catalog.synthesizer(engine), weights / ENGINES[engine]
    loaded, voice = kind.load(folder, EngineOptions(device=device)), kind.voices(folder)[0]
    utterance = Utterance(TEXT, voice.name, voice.language)
    loaded.synthesize(utterance)
    with watched() as use:
        spent = statistics.median(_timed(lambda: loaded.synthesize(utterance)) for _ in range(ROUNDS))
    loaded.close()
    return with_use(Figure(name=f"{engine}, one sentence on {_where(device)}", unit="s", ours=spent), use)


def _speakers(weights: Path, load: Load, device: str) -> Figure:
    """Who spoke when in the long file."""
    engine = catalog.diarizer(SPEAKERS).load(weights / SPEAKERS_MODEL, EngineOptions(device=device))
    sound = decode(load.long)
    with watched() as use:
        spent = _timed(lambda: _diarized(engine, sound))
    engine.close()
    name = f"speakers of {load.long_seconds / 60:g} minutes on {_where(device)}"
    return with_use(Figure(name=name, unit="s", ours=spent), use)


def _diarized(engine: Any, sound: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Any:
    starts = range(0, max(1, len(sound) - engine.span + engine.hop), engine.hop)
    seen = [
        engine.look(sound[at : at + engine.span], at / RATE, end=at + engine.span >= len(sound))
        for at in starts
    ]
    return engine.assemble(seen, DiarizeOptions())


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
