"""What the placement `processes` costs against `threads`, with engines that do nothing or sleep.

    .venv/bin/python bench/placements.py [--windows 300]

Added latency of a 30 s window and of an utterance, throughput, memory of a process without an engine, and how
soon a death is noticed, and the next answer given.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from app.domain import ModelKind, ModelSpec
from app.models.weights import WeightsStore
from app.runtime.admission import Admission, Permit
from app.runtime.batching import BatchLimits
from app.runtime.blocking_work import WorkThreads
from app.runtime.lane_runner import LaneRunner, RunnerRules
from app.runtime.model_orders import EngineSettings
from app.runtime.process_host import ProcessHost
from app.runtime.processes_placement import ProcessesPlacement
from app.runtime.threads_placement import ThreadsPlacement
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, TranscribeOptions, Utterance, Window
from engines.work import Place
from tests.support.scripted_engines import FINDER

OPTIONS = TranscribeOptions()
SOUND = Pcm(np.zeros(30 * SAMPLE_RATE, np.float32))
WORK_SECONDS = 0.02


class Side:
    """One placement."""

    def __init__(self, place: Place, folder: Path, *, rows: int = 8, suffix: str = "") -> None:
        """`rows`: of a batch. `suffix`: of the names of its models."""
        defaults = EngineSettings(
            transcription=EngineOptions(), speech=EngineOptions(), diarization=EngineOptions()
        )
        self.folder, self.suffix = folder, suffix
        self.threads = WorkThreads(2)
        self.runner = LaneRunner(
            WeightsStore(folder / "weights", hub=""),
            Admission(1_000, 600.0),
            defaults,
            RunnerRules(batch=BatchLimits(rows=rows, seconds=60)),
            place=place,
            threads=self.threads,
        )

    def model(self, kind: ModelKind) -> ModelSpec:
        return ModelSpec(kind + self.suffix, kind, "scripted", self.folder, 0, "")

    async def window(self, permit: Permit, prompt: str = "") -> None:
        await self.runner.transcribe(
            self.model("transcription"), Window(SOUND, prompt=prompt), OPTIONS, permit
        )

    async def utterance(self, permit: Permit) -> None:
        await self.runner.synthesize(self.model("speech"), Utterance("a" * 48_000, "one", "en"), permit)

    async def throughput(self, windows: int, work_seconds: float = WORK_SECONDS) -> float:
        """Windows a second, four requests at once, each window some work."""
        permits = [self.runner.admit() for _ in range(4)]
        began = time.perf_counter()

        async def request(permit: Permit) -> None:
            for _ in range(windows // 4):
                await self.window(permit, f"sleep:{work_seconds}")

        await asyncio.gather(*(request(permit) for permit in permits))
        return windows / (time.perf_counter() - began)


async def times(call: Callable[[], Awaitable[None]], count: int) -> list[float]:
    """Milliseconds of each call, one after the other."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await call()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def quantiles(taken: Sequence[float]) -> tuple[float, float]:
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


async def compare(sides: dict[str, Side], count: int) -> None:
    permits = {name: side.runner.admit() for name, side in sides.items()}
    for what in ("window", "utterance"):
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for name, side in sides.items():
            await getattr(side, what)(permits[name])  # loads the model
        for _ in range(10):  # in turns, so that other programs of the machine disturb both sides alike
            for name, side in sides.items():
                taken[name] += await times(partial(getattr(side, what), permits[name]), count // 10)
        (a50, a95), (b50, b95) = quantiles(taken["threads"]), quantiles(taken["processes"])
        print(f"{what}: threads {a50:.2f} / {a95:.2f} ms, processes {b50:.2f} / {b95:.2f} ms (p50 / p95)")
        print(f"{what}: added {b50 - a50:.2f} / {b95 - a95:.2f} ms")
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(3):
        for name, side in sides.items():
            rates[name].append(await side.throughput(count))
    a, b = statistics.median(rates["threads"]), statistics.median(rates["processes"])
    print(f"throughput with {1000 * WORK_SECONDS:g} ms a window: {a:.1f} and {b:.1f} a second, {b / a:.3f}")


async def deaths(side: Side) -> None:
    """Kills the process five times: how soon is each death noticed, and the next answer given?"""
    host = side.runner._lanes["transcription"].life.host
    assert isinstance(host, ProcessHost)
    permit = side.runner.admit()
    noticed: list[float] = []
    answered: list[float] = []
    for _ in range(5):
        await side.window(permit)
        child = host._child
        assert child
        if not noticed:
            print(f"memory of a process: {child.memory / 1e6:.0f} MB")
        began = time.perf_counter()
        os.kill(child.pid, signal.SIGKILL)
        while child.alive and time.perf_counter() < began + 5:
            await asyncio.sleep(0.0005)
        noticed.append(1000 * (time.perf_counter() - began))
        await side.window(permit)
        answered.append(time.perf_counter() - began)
    print(
        f"death noticed after {max(noticed):.0f} ms at most, next answer after {max(answered):.2f} s at most"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=300)
    count = parser.parse_args().windows
    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "threads": Side(ThreadsPlacement(FINDER), Path(folder)),
            "processes": Side(ProcessesPlacement(FINDER), Path(folder)),
        }
        await compare(sides, count)
        await deaths(sides["processes"])
        for side in sides.values():
            await asyncio.to_thread(side.runner.close)
            side.threads.close()


if __name__ == "__main__":
    asyncio.run(main())
