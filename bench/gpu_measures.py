"""What `bench_gpu` measures: the server over HTTP, and plain faster-whisper in this process, on one GPU.

Law: each measure gives a `Figure`; what a report looks like is not known here.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpu_figures import Figure, Load, percentile, with_use
from bench.gpu_watch import watched
from bench.stt_sides import Remote
from engines import cuda_libraries
from tests.support.sound import RATE, decode

WARM_UP_CLIPS = 3
MOST_ROWS = 32
"""The most rows of a batch of the pipeline, as many as ours has."""
FIRST_SOUND_TEXT = "The first sound of this sentence is what a listener waits for."


class PlainWhisper:
    """faster-whisper, used as in its README. It runs one request after the other, because it keeps state."""

    def __init__(self, weights: Path, device: str, rows: int) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        if device == "cuda":
            cuda_libraries.preload()
        kind = "float16" if device == "cuda" else "int8"
        self.model = WhisperModel(str(weights), device=device, compute_type=kind, local_files_only=True)
        self._pipeline = BatchedInferencePipeline(self.model)
        self._rows = rows

    def single(self, data: bytes) -> str:
        segments, _ = self.model.transcribe(io.BytesIO(data), language="en", beam_size=5)
        return "".join(segment.text for segment in segments)

    def batched(self, data: bytes) -> str:
        segments, _ = self._pipeline.transcribe(
            io.BytesIO(data), language="en", beam_size=5, batch_size=self._rows, without_timestamps=False
        )
        return "".join(segment.text for segment in segments)

    def together(self, data: bytes, count: int) -> None:
        """Transcribes `count` clips in one call, which the pipeline decodes in batches."""
        clip = decode(data)
        length = len(clip) / RATE
        marks = [{"start": at * length, "end": (at + 1) * length} for at in range(count)]
        segments, _ = self._pipeline.transcribe(
            np.tile(clip, count), language="en", beam_size=5, batch_size=min(count, MOST_ROWS),
            without_timestamps=False, clip_timestamps=marks,
        )  # fmt: skip
        assert len({int(segment.start / length + 0.01) for segment in segments}) == count


def timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def lone(server: Remote, plain: PlainWhisper, load: Load) -> list[Figure]:
    """Transcribes clips one after the other."""
    for _ in range(WARM_UP_CLIPS):
        server.clip(load.clip, "en")
        plain.single(load.clip)
    ours: list[float] = []
    theirs: list[float] = []
    ends = time.perf_counter() + load.seconds
    while time.perf_counter() < ends or len(ours) < WARM_UP_CLIPS:
        ours.append(timed(lambda: server.clip(load.clip, "en")))
        theirs.append(min(timed(lambda: plain.single(load.clip)), timed(lambda: plain.batched(load.clip))))
    return [
        Figure(name="lone clip, p50", unit="s", ours=percentile(ours, 50), plain=percentile(theirs, 50)),
        Figure(
            name="lone clip, p95", unit="s", ours=percentile(ours, 95), plain=percentile(theirs, 95),
            goal="under 0.150", met=percentile(ours, 95) < 0.150,
        ),
    ]  # fmt: skip


def clients(server: Remote, plain: PlainWhisper, load: Load, count: int) -> list[Figure]:
    """Requests a second of so many clients that each send clip after clip. Plain takes one after the other,
    or one clip of each client in one call, whatever is quicker.
    """
    with watched() as use:
        ours = rate(lambda: server.clip(load.clip, "en"), count, load.seconds)
    theirs = max(
        rate(lambda: plain.single(load.clip), 1, load.seconds / 3),
        rate(lambda: plain.batched(load.clip), 1, load.seconds / 3),
        count * rate(lambda: plain.together(load.clip, count), 1, load.seconds / 3),
    )
    goal = "twice plain's, above 48" if count == 32 else ""
    met = ours >= 2 * theirs and ours > 48 if goal else None
    name, unit = f"{count} clients", "requests/s"
    figure = Figure(name=name, unit=unit, ours=ours, plain=theirs, goal=goal, met=met)
    return [with_use(figure, use)]


def rate(call: Callable[[], Any], count: int, seconds: float) -> float:
    """Calls a second by `count` threads that call again and again."""
    ends = time.perf_counter() + seconds

    def go_on() -> int:
        done = 0
        while time.perf_counter() < ends or not done:
            call()
            done += 1
        return done

    began = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        done = sum(pool.map(lambda _: go_on(), range(count)))
    return done / (time.perf_counter() - began)


def long_file(server: Remote, plain: PlainWhisper, load: Load) -> list[Figure]:
    """Transcribes one long file, and compares with the pipeline with timestamps: without them it loses
    words.
    """
    with watched() as use:
        ours = timed(lambda: server.long(load.long))
    theirs = timed(lambda: plain.batched(load.long))
    minutes = load.long_seconds / 60
    figure = Figure(
        name=f"a file of {minutes:g} minutes", unit="s", ours=ours, plain=theirs,
        goal="under 5 for 10 minutes", met=ours * 10 / minutes < 5,
    )  # fmt: skip
    return [with_use(figure, use)]


def files(server: Remote, _: PlainWhisper, load: Load) -> list[Figure]:
    """Transcribes many long files at once."""
    with watched() as use, ThreadPoolExecutor(load.files) as pool:
        spent = timed(lambda: list(pool.map(lambda _: server.long(load.long), range(load.files))))
    sound = load.files * load.long_seconds
    name = f"{load.files} such files at once"
    figure = Figure(name=name, unit="s of sound/s", ours=sound / spent, goal="GPU busy above 80 %")
    busy = use.mean_busy
    return [with_use(figure, use, met=None if busy is None else busy > 80)]


def first_sound(server: Remote, _: PlainWhisper, __: Load) -> list[Figure]:
    """Seconds until the first byte of speech, which the CPU makes."""

    def first() -> None:
        body = {"model": "tts-1", "voice": "alloy", "input": FIRST_SOUND_TEXT, "response_format": "pcm"}
        with server.client.stream("POST", f"{server.url}/audio/speech", json=body) as answer:
            answer.raise_for_status()
            next(answer.iter_bytes(1024))

    seconds = statistics.median(timed(first) for _ in range(3))
    return [Figure(name="first sound of speech", unit="s", ours=seconds)]
