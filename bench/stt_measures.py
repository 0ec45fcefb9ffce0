"""What `bench_stt` measures beside plain faster-whisper. Law: pairs in turn; goals and medians come out."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from app.container import Container
from app.domain import TranscriptionJob, VadOptions
from app.settings.load import load_settings
from app.settings.one_process import in_one_process
from bench.stt_pairs import Goal, Spent, compared, in_turn, spent, timed
from bench.stt_sides import CLIENTS, Ours, Plain, Remote, Speech
from tests.support.sound import RATE, encode, wav

FIVE, WINDOW = 5, 29
"""Seconds of the clip for the overhead, and of a whole window."""
COUNT = 32
LEFT = 6
"""Seconds that the server needs for the batches of a client that has left."""
FILE_SECONDS = 300
"""Longer recordings are cut for `files`, because sequential decoding is slow."""


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
    quick: bool = False
    """One pair where one is long, and no measure without a goal."""
    waits: list[float] = field(default_factory=list)
    """Seconds of the answers of /health/live under load."""

    @property
    def few(self) -> int:
        """Pairs of a measure that takes minutes."""
        return max(2 if self.quick else 3, self.rounds // 2)

    def long_file(self) -> bytes:
        return encode(self.speech.long(60 * self.minutes), "flac", "flac", RATE)


Found = Iterator[tuple[Goal, float]]


def lone(bench: Bench) -> Found:
    clips = bench.speech.lone()
    for language, limits in ((None, (0.20, 0.17)), ("en", (None, None))):
        if language and (bench.quick or not bench.speech.english):
            continue

        def heard(side: Ours | Plain | Remote, turn: int, told: str | None = language) -> Spent:
            return spent(side, partial(side.clip, clips[turn % len(clips)], told))

        found = compared(
            max(bench.rounds, len(clips)), partial(heard, bench.ours), partial(heard, bench.other)
        )
        told = "language given" if language else "language detected"
        what = f"{len(clips)} lone clips of 4 to 9 s, {told}"
        yield Goal(f"{what}: latency / plain's {found.seconds}", "<=", limits[0]), found.time
        yield Goal(f"{what}: CPU / plain's {found.cpu_seconds}", "<=", limits[1]), found.cpu
    if not bench.quick:
        yield overhead(bench, wav(bench.speech.long(60)[: FIVE * RATE]))


def overhead(bench: Bench, clip: bytes) -> tuple[Goal, float]:
    """The server's extra time for a clip, compared with the same services in this process without HTTP."""
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

    def heard(side: Ours | Plain | Remote, _: int) -> Spent:
        return spent(side, partial(side.many, clips, None))

    bench.ours.many(clips[:CLIENTS], None)
    bench.other.many(clips[:1], None)
    rounds = 1 if bench.quick else bench.few
    found = compared(rounds, partial(heard, bench.ours), partial(heard, bench.other), warm=True)
    what = f"{COUNT} clips, {CLIENTS} at a time, language detected"
    mine, plain = (found.pairs[-1][side].cpu / seconds for side in (0, 1))
    yield (
        Goal(f"{what}: CPU s for a second of sound / plain's ({mine:.3f} / {plain:.3f})", "<=", 0.12),
        found.cpu,
    )
    yield Goal(f"{what}: time / plain's, one after the other {found.seconds}"), found.time


def long(bench: Bench) -> Found:
    data = bench.long_file()
    words: dict[str, int] = {}

    def heard(side: Ours | Plain | Remote, name: str, _: int) -> Spent:
        texts: list[str] = []
        took = spent(side, lambda: texts.append(side.long(data)))
        words[name] = len(texts[0].split())
        return took

    warm_up(bench)
    found = compared(
        bench.few, partial(heard, bench.ours, "ours"), partial(heard, bench.other, "other"), warm=True
    )
    what = (
        f"file of {bench.minutes:g} minutes beside BatchedInferencePipeline with a beam of 5 and timestamps"
    )
    yield Goal(f"{what}: time {found.seconds}", "<=", 0.65), found.time
    yield Goal(f"{what}: CPU {found.cpu_seconds}", "<=", 0.70), found.cpu
    told = f"({words['ours']} / {words['other']})"
    yield Goal(f"{what}: words {told}", ">=", 1.0), words["ours"] / words["other"]
    yield first_event(bench, data)


def first_event(bench: Bench, data: bytes) -> tuple[Goal, float]:
    window = wav(bench.speech.long(60)[: WINDOW * RATE])

    def of_stream() -> float:
        took = bench.ours.first_event(data)
        time.sleep(LEFT)
        return took

    ratio, first, alone = in_turn(5, of_stream, lambda: timed(lambda: bench.ours.clip(window, "en")))
    what = f"first event of its stream / a lone window's time ({first:.2f} s / {alone:.2f} s)"
    return Goal(what, "<=", 1.2), ratio


def warm_up(bench: Bench) -> None:
    """Has both sides work on a minute, which costs less than a whole call before the pairs."""
    data = wav(bench.speech.long(60))
    bench.ours.long(data), bench.other.long(data)


def files(bench: Bench) -> Found:
    warm_up(bench)
    for name, sound in bench.speech.files.items():
        data = wav(sound[: FILE_SECONDS * RATE])
        words: dict[str, int] = {}

        def mine(_: int, data: bytes = data, words: dict[str, int] = words) -> Spent:
            texts: list[str] = []
            took = spent(bench.ours, lambda: texts.append(bench.ours.clip(data, None)))
            words["ours"] = len(texts[0].split())
            return took

        def plain(_: int, data: bytes = data, words: dict[str, int] = words) -> Spent:
            texts: list[str] = []
            took = spent(bench.other, lambda: texts.append(bench.other.sequential(data)))
            words["plain"] = len(texts[0].split())
            return took

        found = compared(1 if bench.quick else bench.few, mine, plain, warm=True)
        what = f"{name}, {len(data) / 2 / RATE:.0f} s, beside plain's sequential decoding with its own VAD"
        told = f"({words['ours']} and {words['plain']} words)"
        yield Goal(f"{what}: time {found.seconds} {told}", "<=", 0.40), found.time
        yield Goal(f"{what}: CPU {found.cpu_seconds}"), found.cpu
