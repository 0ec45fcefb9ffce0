"""What `bench_stt` measures. Law: each function takes pairs in turn, gives goals and medians."""

from __future__ import annotations

import asyncio
import io
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.container import Container
from app.domain import TranscriptionJob, VadOptions
from app.settings.one_process import in_one_process
from app.settings.source import load_settings
from bench.stt_sides import CLIENTS, Ours, Plain, Remote, Speech
from tests.support.sound import RATE, encode, wav

FIVE, WINDOW = 5, 29
"""Seconds of the lone clip, and of a whole window."""
COUNT = 32
FILES = 10
"""Long files before the clip that comes late."""


@dataclass(frozen=True)
class Goal:
    """What a measure is, and what it should be."""

    what: str
    sign: str = "<="
    limit: float | None = None
    unit: str = ""

    def meets(self, value: float) -> bool:
        assert self.limit is not None
        return value <= self.limit if self.sign == "<=" else value >= self.limit


@dataclass(frozen=True)
class Bench:
    """Everything that a measure needs."""

    ours: Ours
    other: Plain | Remote
    speech: Speech
    rounds: int
    minutes: float
    uploads: int
    storage: Path

    def long_file(self) -> bytes:
        return encode(self.speech.long(60 * self.minutes), "flac", "flac", RATE)


Found = Iterator[tuple[Goal, float]]


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turn(
    rounds: int, first: Callable[[], float], second: Callable[[], float]
) -> tuple[float, float, float]:
    """The median ratio of pairs, and the medians of both; both are warm before."""
    first(), second()
    pairs = [(first(), second()) if turn % 2 else (second(), first())[::-1] for turn in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    return ratio, statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def lone(bench: Bench) -> Found:
    clip = wav(bench.speech.long(60)[: FIVE * RATE])
    for language, limit in ((None, 0.30), ("en", 0.50)):
        ratio, mine, plain = in_turn(
            bench.rounds,
            partial(timed, partial(bench.ours.clip, clip, language)),
            partial(timed, partial(bench.other.clip, clip, language)),
        )
        told = "language given" if language else "language detected"
        what = f"lone clip of {FIVE} s, {told}: latency / plain's ({mine:.2f} s / {plain:.2f} s)"
        yield Goal(what, "<=", limit), ratio
    yield overhead(bench, clip)


def overhead(bench: Bench, clip: bytes) -> tuple[Goal, float]:
    """Beside the same service in this process: decoding, speech detection and engine, without HTTP."""
    settings = in_one_process(load_settings())
    changed = {
        "storage": settings.storage.model_copy(update={"folder": bench.storage}),
        "models": settings.models.model_copy(update={"preload": ()}),
    }
    container = Container(settings.model_copy(update=changed))
    job = TranscriptionJob(model="whisper-1", language="en", vad=VadOptions())
    loop = asyncio.new_event_loop()
    ratio, mine, inside = in_turn(
        3 * bench.rounds,
        lambda: timed(lambda: bench.ours.clip(clip, "en")),
        lambda: timed(
            lambda: loop.run_until_complete(container.transcription.transcribe(job, io.BytesIO(clip)))
        ),
    )
    loop.run_until_complete(container.close())
    loop.close()
    what = f"server's overhead over our own engine in process, lone clip ({mine:.3f} s / {inside:.3f} s)"
    return Goal(what, "<=", 5.0, "%"), 100 * (ratio - 1)


def many(bench: Bench) -> Found:
    clips, seconds = bench.speech.short(COUNT), bench.speech.seconds(COUNT)

    def rate(side: Ours | Plain | Remote, language: str | None) -> tuple[float, float]:
        """Audio seconds per CPU second, and per second."""
        before, began = side.cpu(), time.perf_counter()
        side.many(clips, language)
        took = time.perf_counter() - began
        after = side.cpu()
        spent = after - before if after is not None and before is not None else took
        return seconds / spent, seconds / took

    for language, limit in ((None, 4.0), ("en", 2.5)):
        rate(bench.ours, language), rate(bench.other, language)
        pairs = [
            (rate(bench.ours, language), rate(bench.other, language))
            for _ in range(max(2, bench.rounds // 2))
        ]
        told = "language given" if language else "language detected"
        per_cpu = statistics.median(mine[0] / plain[0] for mine, plain in pairs)
        per_second = statistics.median(mine[1] / plain[1] for mine, plain in pairs)
        mine, plain = pairs[-1]
        what = f"{COUNT} clips, {CLIENTS} at a time, {told}: audio seconds"
        yield Goal(f"{what} per CPU second / plain's ({mine[0]:.1f} / {plain[0]:.1f})", ">=", limit), per_cpu
        yield Goal(f"{what} per second / plain's ({mine[1]:.1f} / {plain[1]:.1f})"), per_second


def long(bench: Bench) -> Found:
    data = bench.long_file()
    ratio, mine, plain = in_turn(
        2, lambda: timed(lambda: bench.ours.long(data)), lambda: timed(lambda: bench.other.long(data))
    )
    what = (
        f"file of {bench.minutes:g} minutes: time / BatchedInferencePipeline's ({mine:.1f} s / {plain:.1f} s)"
    )
    yield Goal(what, "<=", 1.0), ratio
    window = wav(bench.speech.long(60)[: WINDOW * RATE])
    ratio, first, alone = in_turn(
        3,
        lambda: bench.ours.first_event(data)[0],
        lambda: timed(lambda: bench.ours.clip(window, "en")),
    )
    what = f"first event of its stream / a lone window's time ({first:.2f} s / {alone:.2f} s)"
    yield Goal(what, "<=", 2.0), ratio


def fair(bench: Bench) -> Found:
    """What the runtime promises is three lone latencies and one batch, as the files' take on the average."""
    data, clip = bench.long_file(), wav(bench.speech.long(60)[: 3 * RATE])
    alone = statistics.median(timed(lambda: bench.ours.clip(clip, "en")) for _ in range(bench.rounds))
    with ThreadPoolExecutor(FILES) as pool:
        streams = [pool.submit(_left_early, bench, data) for _ in range(FILES)]
        time.sleep(10)  # all of them are at work
        before = bench.ours.batches()
        late = [timed(lambda: bench.ours.clip(clip, "en")) for _ in range(2 * bench.rounds)]
        work, count = (now - then for now, then in zip(bench.ours.batches(), before, strict=True))
        DONE.set()
        for stream in streams:
            stream.result()
        DONE.clear()
    batch = (work - len(late) * alone) / (count - len(late))  # the clips were batches of their own
    told = f"({statistics.median(late):.2f} s / {alone:.2f} s; a batch: {batch:.2f} s)"
    what = f"clip of 3 s behind {FILES} files: median latency / a lone one's {told}"
    yield Goal(what), statistics.median(late) / alone
    what = "the same, the slowest, less three lone latencies, in batches"
    yield Goal(what, "<=", 1.0), (max(late) - 3 * alone) / batch


DONE = threading.Event()


def _left_early(bench: Bench, data: bytes) -> None:
    """A client of a long file that goes when the measuring is over."""
    with bench.ours.stream(data) as answer:
        for _ in answer.iter_lines():
            if DONE.is_set():
                return


def crowd(bench: Bench) -> Found:
    data = bench.long_file()
    before = bench.ours.server.peak
    waits: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            waits.append(bench.ours.live())

    def upload(_: int) -> int:
        return bench.ours.post(data, "en").status_code

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    with ThreadPoolExecutor(bench.uploads) as pool:
        codes = list(pool.map(upload, range(bench.uploads)))
    took = time.perf_counter() - began
    done.set()
    watcher.join()
    told = f"{bench.uploads} uploads of {bench.minutes:g} minutes"
    yield (
        Goal(f"{told}: peak memory ({before / 1e9:.2f} GB before)", "<=", 1.2, "GB"),
        bench.ours.server.peak / 1e9,
    )
    bad = sum(code not in (200, 429) for code in codes)
    what = f"{told}: neither answered nor refused with 429 ({codes.count(200)} answered, {took:.0f} s)"
    yield Goal(what, "<=", 0), float(bad)
    slow = sorted(waits)[int(0.99 * len(waits))]
    middle = f"(median {1000 * statistics.median(waits):.1f} ms)"
    what = f"/health/live under that load, 99th percentile of {len(waits)} {middle}"
    yield Goal(what, "<=", 50.0, "ms"), 1000 * slow


MEASURES: dict[str, Callable[[Bench], Found]] = {
    "lone": lone,
    "many": many,
    "long": long,
    "fair": fair,
    "crowd": crowd,
}
