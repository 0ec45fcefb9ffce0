"""What `bench_stt` measures of our server alone: fairness, a crowd of uploads, the start, memory."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.stt_measures import Bench, Found, files, lone, long, many
from bench.stt_pairs import Goal, timed
from tests.support import process_tree
from tests.support.server import running
from tests.support.sound import RATE, wav

FILES = 10
"""Long files that are being transcribed when the short clip arrives."""
REST = 60
"""Seconds after the crowd of uploads until memory is measured again."""
VOICES = "whisper-base,piper-en-us-joe-medium,kokoro-82m"


def fair(bench: Bench) -> Found:
    """Latency of a clip that arrives while long files are transcribed. The goal is three lone latencies
    and one average batch of the files.
    """
    data, clip = bench.long_file(), wav(bench.speech.long(60)[: 3 * RATE])
    alone = statistics.median(timed(lambda: bench.ours.clip(clip, "en")) for _ in range(bench.rounds))
    with ThreadPoolExecutor(FILES) as pool:
        streams = [pool.submit(_left_early, bench, data) for _ in range(FILES)]
        time.sleep(10)  # until all files are being transcribed
        before = bench.ours.batches()
        late = [timed(lambda: bench.ours.clip(clip, "en")) for _ in range(2 * bench.rounds)]
        work, count = (now - then for now, then in zip(bench.ours.batches(), before, strict=True))
        DONE.set()
        for stream in streams:
            stream.result()
        DONE.clear()
    batch = (work - len(late) * alone) / (count - len(late))  # each of the late clips was a batch of its own
    told = f"({statistics.median(late):.2f} s / {alone:.2f} s; a batch: {batch:.2f} s)"
    what = f"clip of 3 s behind {FILES} files: median latency / a lone one's {told}"
    yield Goal(what), statistics.median(late) / alone
    what = "the same, the slowest, less three lone latencies, in batches"
    yield Goal(what, "<=", 1.0), (max(late) - 3 * alone) / batch


DONE = threading.Event()


def _left_early(bench: Bench, data: bytes) -> None:
    """A client with a long file, which leaves when the measurement is over."""
    with bench.ours.stream(data) as answer:
        for _ in answer.iter_lines():
            if DONE.is_set():
                return


def crowd(bench: Bench) -> Found:
    data, pid = bench.long_file(), bench.ours.server.process.pid
    before = process_tree.proportional(pid)
    waits: list[float] = []
    sizes: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            waits.append(bench.ours.live())
            if len(waits) % 10 == 0:
                sizes.append(process_tree.proportional(pid))

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
    middle = f"(median {1000 * statistics.median(waits):.1f} ms)"
    what = f"/health/live under that load, slowest of {len(waits)} {middle}"
    yield Goal(what, "<=", 60.0, "ms"), 1000 * max(waits)


def start(bench: Bench) -> Found:
    """A server of its own, with Whisper and two voices, after another one that warms the disk."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "STORAGE_DATABASE_URL": f"sqlite:///{folder}/antiphon.db",
            "MODELS_PRELOAD": VOICES,
        }
        for _ in range(4):
            began = time.perf_counter()
            with running(bench.storage, Path(folder) / "log", ready=True, **given) as server:
                times.append(time.perf_counter() - began)
                time.sleep(2)
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
