"""What `bench_stt` measures of our server alone: fairness, a crowd of uploads, the start, memory."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench.live_watch import watched
from bench.stt_measures import Bench, Found, files, lone, long, many
from bench.stt_pairs import Goal, timed
from tests.support import process_tree
from tests.support.server import running
from tests.support.sound import RATE, wav

FILES = 10
"""Long files that are being transcribed when the short clip arrives."""
LATE = 10
"""Short clips behind them."""
REST = 60
"""Seconds after the crowd of uploads until memory is measured again."""
STARTS, IDLE = 3, 10
"""Starts that are measured, and seconds until the memory of an idle server is measured."""
VOICES = "whisper-base,piper-en-us-joe-medium,kokoro-82m"


def fair(bench: Bench) -> Found:
    """Latency of a clip that arrives while long files are transcribed. The goal is three lone latencies
    and one average batch of the files.
    """
    data, clip = bench.long_file(), wav(bench.speech.long(60)[: 3 * RATE])
    alone = statistics.median(timed(lambda: bench.ours.clip(clip, "en")) for _ in range(7))
    done = threading.Event()
    with ThreadPoolExecutor(FILES) as pool, watched(bench.ours.server.root, bench.waits):
        streams = [pool.submit(_left_early, bench, data, done) for _ in range(FILES)]
        time.sleep(10)  # until all files are being transcribed
        before = bench.ours.batches()
        late = [timed(lambda: bench.ours.clip(clip, "en")) for _ in range(LATE)]
        work, count = (now - then for now, then in zip(bench.ours.batches(), before, strict=True))
        done.set()
        for stream in streams:
            stream.result()
    batch = (work - LATE * alone) / (count - LATE)  # each of the late clips was a batch of its own
    told = f"({statistics.median(late):.2f} s / {alone:.2f} s; a batch: {batch:.2f} s)"
    what = f"clip of 3 s behind {FILES} files: median latency / a lone one's {told}"
    yield Goal(what), statistics.median(late) / alone
    what = f"the same, the slowest of {LATE} ({max(late):.2f} s), less three lone latencies, in batches"
    yield Goal(what, "<=", 1.0), (max(late) - 3 * alone) / batch


def _left_early(bench: Bench, data: bytes, done: threading.Event) -> None:
    """A client with a long file, which leaves when the measurement is over."""
    with bench.ours.stream(data) as answer:
        for _ in answer.iter_lines():
            if done.is_set():
                return


def crowd(bench: Bench) -> Found:
    data, pid = bench.long_file(), bench.ours.server.process.pid
    before = process_tree.proportional(pid)
    with watched(bench.ours.server.root, bench.waits), sampled(pid) as sizes:
        began = time.perf_counter()
        with ThreadPoolExecutor(bench.uploads) as pool:
            asked = [pool.submit(bench.ours.post, data, "en") for _ in range(bench.uploads)]
            codes = [answer.result().status_code for answer in asked]
        took = time.perf_counter() - began
    told = f"{bench.uploads} uploads of {bench.minutes:g} minutes"
    seconds = 60 * bench.minutes * bench.uploads
    yield Goal(f"{told}: time for a second of sound ({took:.0f} s)", "<=", 0.035), took / seconds
    peak = max(sizes, default=before)
    what = f"{told}: growth of memory, shared pages once ({before / 1e9:.2f} to {peak / 1e9:.2f} GB)"
    yield Goal(what, "<=", 0.35, "GB"), (peak - before) / 1e9
    time.sleep(REST)
    yield Goal(f"{told}: memory {REST} s later", "<=", 0.8, "GB"), process_tree.proportional(pid) / 1e9
    bad = sum(code not in (200, 429) for code in codes)
    what = f"{told}: neither answered nor refused with 429 ({codes.count(200)} answered)"
    yield Goal(what, "<=", 0), float(bad)


@contextmanager
def sampled(pid: int) -> Iterator[list[int]]:
    """The memory of the process and its family in bytes, every second, shared pages once."""
    sizes: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1):
            sizes.append(process_tree.proportional(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield sizes
    finally:
        done.set()
        watcher.join()


def start(bench: Bench) -> Found:
    """A server of its own, with Whisper and two voices, after another one that warms the disk."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        given = {"STORAGE_DATABASE_URL": f"sqlite:///{folder}/antiphon.db", "MODELS_PRELOAD": VOICES}
        for turn in range(STARTS + 1):
            began = time.perf_counter()
            with running(bench.storage, Path(folder) / "log", ready=True, **given) as server:
                times.append(time.perf_counter() - began)
                if turn == STARTS:
                    time.sleep(IDLE)
                    idle = process_tree.proportional(server.process.pid)
    what = "start of the process until it is ready, with Whisper, Piper and Kokoro, warm disk"
    yield Goal(what, "<=", 4.0, "s"), statistics.median(times[1:])
    yield Goal("the same: memory while it is idle, shared pages once", "<=", 0.5, "GB"), idle / 1e9


MEASURES: dict[str, Callable[[Bench], Found]] = {
    "lone": lone,
    "many": many,
    "long": long,
    "files": files,
    "fair": fair,
    "crowd": crowd,
    "start": start,
}
