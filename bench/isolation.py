"""What `runtime.placement = "processes"` costs a whole server beside `threads`, with the real engines.

    .venv/bin/python -m bench.isolation --clips FOLDER [--rounds 7] [--count 32] [--kills 20] [--every 1]

Two servers of their own, asked in turn, so that both meet the same neighbours. The speech is read from
`--clips`, or made with Piper. `bench/placements.py` measures the same with engines that do nothing.

many      clips of 3 to 7 s, 8 at a time: audio seconds a second and a CPU second, processes / threads
lone      one clip of 3 s: latency, processes - threads
speech    first sound of a sentence, processes - threads
memory    proportional and resident bytes of all processes, nothing at work
after     resident bytes before and after work
deaths    requests while the processes of the models are killed every few seconds: statuses, /health/live
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from bench.stt_sides import Ours, Speech, made_clips, read_clips
from engines.heap import QUIET_SECONDS
from tests.conftest import ROOT
from tests.support import process_tree
from tests.support.server import running
from tests.support.sound import RATE, wav

PLACEMENTS = ("threads", "processes")
SENTENCE = "The quick brown fox jumps over the lazy dog, and nobody is surprised."
Told = Iterator[tuple[str, str]]


class Tree(Ours):
    """A server, measured together with its child processes."""

    @property
    def engines(self) -> list[int]:
        """The ids of the processes of its models."""
        _, *children = process_tree.family(self.server.process.pid)
        return [pid for pid in children if b"app.runtime.child_program" in process_tree.command(pid)]

    def first_sound(self) -> float:
        """Seconds until the first bytes of speech."""
        body = {"model": "kokoro-82m", "voice": "af_heart", "input": SENTENCE, "response_format": "pcm"}
        began = time.perf_counter()
        with self.client.stream("POST", f"{self.server.url}/audio/speech", json=body) as answer:
            answer.raise_for_status()
            pieces = answer.iter_bytes()
            next(pieces)
            took = time.perf_counter() - began
            for _ in pieces:
                pass
        return took


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def pairs(sides: dict[str, Tree], rounds: int, measure: Callable[[Tree], float]) -> dict[str, list[float]]:
    """Measures the sides alternately, in reversed order each time. The first measurements do not count."""
    for side in sides.values():
        measure(side)
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in PLACEMENTS[:: 1 if number % 2 else -1]:
            taken[name].append(measure(sides[name]))
    return taken


def ratio(taken: dict[str, list[float]]) -> float:
    """The median of processes / threads."""
    return statistics.median(b / a for a, b in zip(taken["threads"], taken["processes"], strict=True))


def added(taken: dict[str, list[float]]) -> str:
    """Medians, and the median difference, in milliseconds."""
    a, b = (1000 * statistics.median(taken[name]) for name in PLACEMENTS)
    rest = statistics.median(y - x for x, y in zip(taken["threads"], taken["processes"], strict=True))
    return f"{1000 * rest:+.1f} ms ({b:.0f} / {a:.0f} ms)"


def many(sides: dict[str, Tree], speech: Speech, rounds: int, count: int) -> Told:
    clips, seconds = speech.short(count), speech.seconds(count)
    per_cpu: dict[str, list[float]] = {name: [] for name in sides}

    def rate(side: Tree) -> float:
        before, began = side.cpu(), time.perf_counter()
        side.many(clips, "en")
        took = time.perf_counter() - began
        name = next(name for name, other in sides.items() if other is side)
        per_cpu[name].append(seconds / (side.cpu() - before))
        return seconds / took

    taken = pairs(sides, rounds, rate)
    yield "throughput, audio seconds a second", f"{ratio(taken):.3f}"
    yield "throughput, audio seconds a CPU second", f"{ratio({k: v[1:] for k, v in per_cpu.items()}):.3f}"


def lone(sides: dict[str, Tree], speech: Speech, rounds: int, _: int) -> Told:
    clip = wav(speech.long(30)[: 3 * RATE])
    taken = pairs(sides, 3 * rounds, lambda side: timed(lambda: side.clip(clip, "en")))
    yield "a lone clip of 3 s", added(taken)


def speech_of(sides: dict[str, Tree], speech: Speech, rounds: int, _: int) -> Told:
    yield "first sound of a sentence", added(pairs(sides, 2 * rounds, Tree.first_sound))


def memory(sides: dict[str, Tree], speech: Speech, rounds: int, _: int) -> Told:
    for name, side in sides.items():
        pid = side.server.process.pid
        shared, resident = process_tree.proportional(pid), process_tree.resident(pid)
        told = f"{shared / 1e6:.0f} MB proportional, {resident / 1e6:.0f} MB resident"
        yield f"memory of {name}, {len(process_tree.family(pid))} processes", told


def after_work(sides: dict[str, Tree], speech: Speech, rounds: int, count: int) -> Told:
    """The same before and after all models worked, and after they gave freed memory back."""
    clips, long = speech.short(count), wav(speech.long(120))
    for name, side in sides.items():
        pid = side.server.process.pid
        told = [process_tree.resident(pid)]
        for _ in range(rounds):
            side.many(clips, "en")
            side.post(long, "en")
            side.first_sound()
        told.append(process_tree.resident(pid))
        for seconds in (2 * QUIET_SECONDS, 60 - 2 * QUIET_SECONDS):
            time.sleep(seconds)
            told.append(process_tree.resident(pid))
        figures = ", ".join(f"{size / 1e6:.0f}" for size in told)
        yield f"resident MB of {name}: before work, after, {2 * QUIET_SECONDS:g} s and 60 s later", figures


def deaths(sides: dict[str, Tree], speech: Speech, kills: int, every: float) -> Told:
    """Sends requests until `kills` processes of models were ended with SIGKILL, and counts the answers."""
    side, clips = sides["processes"], speech.short(4)
    done, answers, waits = threading.Event(), list[int](), list[float]()

    def client(number: int) -> None:
        while not done.is_set():
            answers.append(side.post(clips[number], "en").status_code)

    def watch() -> None:
        while not done.wait(0.02):
            waits.append(side.live())

    with ThreadPoolExecutor(5) as pool:
        running_ones = [pool.submit(client, number) for number in range(4)] + [pool.submit(watch)]
        for _ in range(kills):
            time.sleep(every)
            for victim in side.engines:
                os.kill(victim, signal.SIGKILL)
        time.sleep(3)
        done.set()
        for one in running_ones:
            one.result()
    yield (
        f"{len(answers)} requests, {kills} kills, {every:g} s between: statuses",
        str(dict(Counter(answers))),
    )
    slow = 1000 * sorted(waits)[int(0.99 * len(waits))]
    yield (
        f"/health/live meanwhile, {len(waits)} calls",
        f"p99 {slow:.0f} ms, slowest {1000 * max(waits):.0f} ms",
    )


MEASURES: dict[str, Callable[[dict[str, Tree], Speech, int, int], Told]] = {
    "memory": memory,
    "after": after_work,
    "many": many,
    "lone": lone,
    "speech": speech_of,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default=",".join([*MEASURES, "deaths"]), help="parts, in this order")
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=32, help="clips of `many`")
    parser.add_argument("--preload", default="whisper-base,piper-en-us-joe-medium,kokoro-82m")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two kills")
    parser.add_argument("--storage", type=Path, default=ROOT / "data")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="of `processes` only"
    )
    chosen = parser.parse_args()
    speech = read_clips(chosen.clips) if chosen.clips else made_clips(chosen.storage)
    given = dict(pair.split("=", 1) for pair in chosen.set)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        sides = {}
        for name in PLACEMENTS:
            database = f"sqlite:///{folder}/{name}.db"
            own = {
                "STORAGE_DATABASE_URL": database,
                "RUNTIME_PLACEMENT": name,
                "MODELS_PRELOAD": chosen.preload,
            }
            own |= given if name == "processes" else {"RUNTIME_ISOLATE_READERS": "false"}
            server = running(chosen.storage, Path(folder) / f"{name}.log", ready=True, **own)
            sides[name] = Tree(stack.enter_context(server))
        for part in chosen.only.split(","):
            if part == "deaths":
                told = deaths(sides, speech, chosen.kills, chosen.every)
            else:
                told = MEASURES[part](sides, speech, chosen.rounds, chosen.count)
            for what, value in told:
                print(f"| {what} | {value} |", flush=True)


if __name__ == "__main__":
    main()
