"""Speech: our server beside the plain libraries, in turn on one machine; ratios, since machines differ.

    .venv/bin/python -m bench.bench_tts [--rounds 5] [--skip-kokoro]

Plain Piper and plain kokoro-onnx run in this process with the settings that their own pages show. Ours is a
server in a process of its own, over HTTP, encoding to pcm: what a client really waits for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from tests.conftest import ROOT
from tests.support.server import Server, running

PARAGRAPH = (
    "The lighthouse keeper climbed the narrow stairs every evening before the sun went down behind the "
    "hills. He carried a small lamp, a piece of bread, and the old book that his father had left him. From "
    "the top he could see the ships on their way home, and he knew each of them by the shape of her sails."
)
CLIENTS = 8
FIRST_GOALS = {"piper": 0.40, "kokoro": 0.12}
"""The first sound, in parts of the plain library's."""


@dataclass(frozen=True)
class Took:
    """How long one answer took, in seconds."""

    first: float
    total: float
    sound: float
    """Seconds of speech in the answer."""


def ours(server: Server, voice: str, text: str = PARAGRAPH) -> Took:
    body = {"model": "tts-1", "voice": voice, "input": text, "response_format": "pcm"}
    with server.client() as client:
        began, first, size = time.perf_counter(), 0.0, 0
        with client.stream("POST", "/audio/speech", json=body) as answer:
            assert answer.status_code == 200
            for data in answer.iter_raw():
                first = first or time.perf_counter() - began
                size += len(data)
        return Took(first, time.perf_counter() - began, size / 48_000)


def timed(chunks: Iterator[tuple[Any, int]]) -> Took:
    began, first, seconds = time.perf_counter(), 0.0, 0.0
    for samples, rate in chunks:
        first = first or time.perf_counter() - began
        seconds += len(samples) / rate
    return Took(first, time.perf_counter() - began, seconds)


def plain_piper(folder: Path) -> Callable[[], Took]:
    from piper import PiperVoice

    voice = PiperVoice.load(next(folder.glob("*.onnx")))
    return lambda: timed((c.audio_float_array, c.sample_rate) for c in voice.synthesize(PARAGRAPH))


def plain_kokoro(folder: Path, work: Path) -> Callable[[], Took]:
    from kokoro_onnx import Kokoro

    table = np.fromfile(folder / "af_heart.bin", "<f4").reshape(510, 1, 256)
    np.savez(work / "voices.npz", af_heart=table)
    voice = Kokoro(str(next(folder.glob("*.onnx"))), str(work / "voices.npz"))

    async def collect() -> Took:
        began, first, seconds = time.perf_counter(), 0.0, 0.0
        async for samples, rate in voice.create_stream(PARAGRAPH, "af_heart"):
            first = first or time.perf_counter() - began
            seconds += len(samples) / rate
        return Took(first, time.perf_counter() - began, seconds)

    return lambda: asyncio.run(collect())


def pairs(
    name: str,
    plain: Callable[[], Took],
    mine: Callable[[], Took],
    rounds: int,
    goal: float,
) -> None:
    """`goal`: of the first sound."""
    plain(), mine()  # calls each once before, so that nothing is loaded during the measurement
    both = [(plain(), mine()) for _ in range(rounds)]
    first = statistics.median(m.first / p.first for p, m in both)
    total = statistics.median(m.total / p.total for p, m in both)
    costs = statistics.median((m.total / m.sound) / (p.total / p.sound) for p, m in both)
    example = both[len(both) // 2]
    print(
        f"{name}: first sound {first:.2f} of plain's (goal {goal:.2f}), total {total:.2f} (goal 1.00), total "
        f"for a second of speech {costs:.2f}; e.g. "
        f"{example[1].first:.2f} s against {example[0].first:.2f} s, "
        f"{example[1].total:.2f} s for {example[1].sound:.1f} s against {example[0].total:.2f} s for "
        f"{example[0].sound:.1f} s"
    )


def crowd(server: Server, voice: str) -> None:
    """Eight clients at once: how much speech is made in a second, and does each client get an answer?"""
    lone = [ours(server, voice) for _ in range(3)]
    speed = statistics.median(t.sound / t.total for t in lone)
    first = statistics.median(t.first for t in lone)
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(lambda _: ours(server, voice), range(CLIENTS)))
    together = sum(t.sound for t in done) / (time.perf_counter() - began)
    worst = max(t.first for t in done) / first / CLIENTS
    print(
        f"{voice}, {CLIENTS} clients: throughput {together / speed:.2f} of the lone one's (goal 0.90), "
        f"slowest first sound {worst:.2f} lone ones per waiting client (goal 3), {together:.1f} s a second"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--storage", type=Path, default=ROOT / "data")
    parser.add_argument("--skip-kokoro", action="store_true")
    chosen = parser.parse_args()
    weights = chosen.storage / "weights"
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        database = f"sqlite:///{folder}/antiphon.db"
        with running(chosen.storage, folder / "log", STORAGE_DATABASE_URL=database) as server:
            pairs(
                "piper",
                plain_piper(weights / "piper-en-us-joe-medium"),
                lambda: ours(server, "cedar"),
                chosen.rounds,
                FIRST_GOALS["piper"],
            )
            crowd(server, "cedar")
            if not chosen.skip_kokoro:
                plain = plain_kokoro(weights / "kokoro-82m", folder)
                pairs("kokoro", plain, lambda: ours(server, "marin"), chosen.rounds, FIRST_GOALS["kokoro"])
                crowd(server, "marin")
            print(f"peak memory of the server: {server.peak / 1e6:.0f} MB")
            health = httpx2.get(server.root + "/health/live").json()
            print(json.dumps(health))


if __name__ == "__main__":
    main()
