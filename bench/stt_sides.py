"""The two sides of `bench_stt`: our server, and what it is measured against; and the speech for both."""

from __future__ import annotations

import io
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import httpx2
import numpy as np

from bench.accuracy import SOUND
from engines import catalog, cuda_libraries
from engines.types import EngineOptions, Utterance
from tests.conftest import ROOT
from tests.support import process_tree
from tests.support.server import KEY, Server
from tests.support.sound import RATE, Floats, decode, silence, wav

CLIENTS = 8
SHORTEST, LONGEST = 3, 7
"""Seconds of a short clip."""
LONE = 8
"""Clips for single requests."""
FILE, STORY = 25, 120
"""Least seconds of a recording that is measured as a file, and of one from which long files are made."""


class Side(Protocol):
    """A side of the comparison: a program that transcribes."""

    def clip(self, data: bytes, language: str | None) -> str:
        """The text of a short clip."""
        ...

    def long(self, data: bytes) -> str:
        """The text of a long file, by the fastest method that this side has."""
        ...

    def sequential(self, data: bytes) -> str:
        """The text of a file, decoded window after window without batches; the language is detected."""
        ...

    def many(self, clips: list[bytes], language: str | None) -> None:
        """Transcribes all clips: in parallel if this side can, else one after the other."""
        ...

    def cpu(self) -> float | None:
        """Seconds of CPU time used so far; None if they cannot be measured, as on another machine."""
        ...


class Remote:
    """Any server that speaks the OpenAI Audio API."""

    def __init__(self, url: str, key: str, model: str) -> None:
        self.url, self._model = url.rstrip("/"), model
        # One client for all calls and threads, as in most applications.
        self.client = httpx2.Client(headers={"authorization": f"Bearer {key}"}, timeout=3600)

    def post(self, data: bytes, language: str | None, **more: str) -> httpx2.Response:
        """Posts a file, and returns the answer. `more`: further fields of the form."""
        fields = {"model": self._model} | ({"language": language} if language else {}) | more
        where = f"{self.url}/audio/transcriptions"
        return self.client.post(where, data=fields, files={"file": ("a.wav", data)})

    def clip(self, data: bytes, language: str | None) -> str:
        answer = self.post(data, language)
        answer.raise_for_status()
        return str(answer.json()["text"])

    def long(self, data: bytes) -> str:
        return self.clip(data, "en")

    def sequential(self, data: bytes) -> str:
        return self.clip(data, None)

    def many(self, clips: list[bytes], language: str | None) -> None:
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda data: self.clip(data, language), clips))

    def cpu(self) -> float | None:
        return None

    def first_event(self, data: bytes) -> float:
        """Seconds until the first event of a stream, which the client then leaves."""
        began = time.perf_counter()
        with self.stream(data) as answer:
            next(line for line in answer.iter_lines() if line.startswith("data:"))
            return time.perf_counter() - began

    def stream(self, data: bytes) -> AbstractContextManager[httpx2.Response]:
        """Posts a long file and asks for a stream. The response gives the events as they come."""
        fields = {"model": self._model, "language": "en", "stream": "true"}
        where = f"{self.url}/audio/transcriptions"
        return self.client.stream("POST", where, data=fields, files={"file": data})


class Ours(Remote):
    """Our server, whose CPU time and memory can be read."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.url, KEY, "whisper-1")
        self.server = server
        self._watch = httpx2.Client(timeout=60, headers={"Authorization": f"Bearer {KEY}"})

    def cpu(self) -> float:
        return process_tree.cpu_seconds(self.server.process.pid)

    def close(self) -> None:
        self.client.close()
        self._watch.close()

    def batches(self) -> tuple[float, float]:
        """Seconds that the models have worked so far, and the number of batches, from /metrics."""
        page = self._watch.get(f"{self.server.root}/metrics").text
        names = ("antiphon_work_seconds_total", "antiphon_batch_rows_count")
        lines = [line for line in page.splitlines() if line.startswith(names)]
        work, count = (sum(float(x.split()[-1]) for x in lines if x.startswith(name)) for name in names)
        return work, count

    def live(self) -> float:
        """Seconds until /health/live is answered."""
        began = time.perf_counter()
        self._watch.get(f"{self.server.root}/health/live").raise_for_status()
        return time.perf_counter() - began


class Plain:
    """faster-whisper in this process, called as in the examples of its README."""

    def __init__(self, weights: Path, device: str, threads: int, rows: int) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        if device == "cuda":
            cuda_libraries.preload()
        kind = "float16" if device == "cuda" else "int8"
        self._model = WhisperModel(
            str(weights), device=device, compute_type=kind, cpu_threads=threads, local_files_only=True
        )
        self._pipeline = BatchedInferencePipeline(self._model)
        self._rows = rows

    def clip(self, data: bytes, language: str | None) -> str:
        segments, _ = self._model.transcribe(io.BytesIO(data), language=language, beam_size=5)
        return "".join(segment.text for segment in segments)

    def long(self, data: bytes) -> str:
        # The default of the batched pipeline, without timestamps, loses a sixth of the words of read speech.
        segments, _ = self._pipeline.transcribe(
            io.BytesIO(data), language="en", beam_size=5, batch_size=self._rows, without_timestamps=False
        )
        return "".join(segment.text for segment in segments)

    def sequential(self, data: bytes) -> str:
        segments, _ = self._model.transcribe(io.BytesIO(data), beam_size=5, vad_filter=True)
        return "".join(segment.text for segment in segments)

    def many(self, clips: list[bytes], language: str | None) -> None:
        for data in clips:
            self.clip(data, language)

    def cpu(self) -> float:
        return time.process_time()


@dataclass(frozen=True)
class Speech:
    """The recordings that are transcribed."""

    pieces: list[Floats]
    story: list[Floats]
    """Recordings that long files are made of. No sentence comes twice in one window: Whisper would take it
    for a repetition loop.
    """
    files: dict[str, Floats] = field(default_factory=dict)
    """Recordings that are transcribed as they are, by their names."""
    languages: list[Floats] = field(default_factory=list)
    """Clips for single requests, one for each language. If empty, some of `pieces` are used."""

    @property
    def english(self) -> bool:
        """Whether all clips are English, so that requests may name the language."""
        return not self.languages

    def lone(self) -> list[bytes]:
        """The clips for single requests, of 4 to 9 s."""
        fit = [piece for piece in self.pieces if 4 * RATE <= len(piece) <= 9 * RATE]
        return [wav(clip) for clip in self.languages or fit[:: max(1, len(fit) // LONE)][:LONE]]

    def short(self, count: int) -> list[bytes]:
        """`count` short clips of 3 to 7 s, as files."""
        fit = [piece for piece in self.pieces if SHORTEST * RATE <= len(piece) <= LONGEST * RATE]
        return [wav(fit[number % len(fit)]) for number in range(count)]

    def seconds(self, count: int) -> float:
        return sum((len(data) - 44) / 2 / RATE for data in self.short(count))

    def long(self, seconds: float) -> Floats:
        """A long file: the pieces of `story` one after the other, with pauses, again and again until it
        has so many seconds.
        """
        some = np.concatenate([part for piece in self.story for part in (piece, silence(0.6))])
        return np.resize(some, int(seconds * RATE)).astype(np.float32)


def read_clips(folder: Path) -> Speech:
    """The recordings of a folder. Short ones are clips. Long files are made of the longest recording if it
    has more than `STORY` seconds, else of the clips.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in SOUND]
    sounds = {path.stem: decode(path.read_bytes()) for path in paths}
    clips = [sound for sound in sounds.values() if len(sound) < FILE * RATE]
    files = {name: sound for name, sound in sounds.items() if len(sound) >= FILE * RATE}
    longest = max(sounds.values(), key=len)
    return Speech(clips, [longest] if len(longest) > STORY * RATE else clips, files)


def made_clips(storage: Path) -> Speech:
    """Forty sentences, and pairs of them, spoken by Piper."""
    folder = storage / "weights" / "piper-en-us-joe-medium"
    kind = catalog.synthesizer("piper")
    engine, voice = kind.load(folder, EngineOptions()), kind.voices(folder)[0]
    lines = (ROOT / "tests/data/sentences.txt").read_text().splitlines()
    texts = [*lines, *(f"{a} {b}" for a, b in pairwise(lines[:30]))]
    spoken = [engine.synthesize(Utterance(text, voice.name, voice.language)) for text in texts]
    pieces = [decode(wav(sound.samples, sound.rate)) for sound in spoken]
    return Speech(pieces, pieces[: len(lines)], languages=_languages(storage))


def _languages(storage: Path) -> list[Floats]:
    """The last two test sentences of each language, spoken by Kokoro."""
    folder = storage / "weights" / "kokoro-82m"
    engine = catalog.synthesizer("kokoro").load(folder, EngineOptions())
    tables = tomllib.loads((ROOT / "tests/data/utterances.toml").read_text("utf-8")).values()
    said = [
        engine.synthesize(Utterance(" ".join(t["sentences"][-2:]), t["voices"][0], t["language"]))
        for t in tables
    ]
    return [decode(wav(sound.samples, sound.rate)) for sound in said]
