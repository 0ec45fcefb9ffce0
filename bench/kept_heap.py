"""What it costs that the C library gives memory back between the steps of CTranslate2, beside one kept heap.

    .venv/bin/python -m bench.kept_heap RECORDING

Transcribes windows of 28 s on two threads, three to a batch, in processes of their own: with variables of
glibc that keep one heap, which the server does not set (docs/performance.md), and without, in turn. Prints
CPU seconds, those in the kernel, and memory: the most, and what is left after trimming.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from engines import catalog
from engines.heap import return_free_memory
from engines.types import EngineOptions, Pcm, TranscribeOptions, Window
from tests.conftest import ROOT
from tests.support import process_tree
from tests.support.sound import RATE, decode

HEAP = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(16 << 20),
}
"""Variables of glibc: one heap, which is kept."""
SECONDS, ROWS, THREADS, ROUNDS = 28, 3, 2, 2


def transcribed(recording: Path) -> None:
    """What one of the processes does."""
    options = EngineOptions(device="cpu", threads=1, workers=THREADS, adaptive=True)
    engine: Any = catalog.transcriber("faster-whisper")(ROOT / "data/weights/whisper-base", options)
    sound, length = decode(recording.read_bytes()), SECONDS * RATE
    pieces = [sound[at : at + length] for at in range(0, ROWS * THREADS * length, length)]
    windows = [Window(Pcm(piece), language="en") for piece in pieces]

    def work(batch: list[Window]) -> None:
        for _ in range(ROUNDS):
            engine.transcribe(batch, TranscribeOptions(temperatures=(0.0,)))

    began, kernel = time.process_time(), os.times().system
    batches = [windows[number::THREADS] for number in range(THREADS)]
    threads = [threading.Thread(target=work, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent, kernel = time.process_time() - began, os.times().system - kernel
    peak = process_tree.peak(os.getpid())
    return_free_memory()
    left = process_tree.resident(os.getpid())
    told = f"{spent:.1f} CPU s, {kernel:.2f} in the kernel, peak {peak / 1e6:.0f} MB"
    print(f"{told}, {left / 1e6:.0f} MB after trimming", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recording", type=Path, help="at least 168 s long")
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.here:
        return transcribed(chosen.recording)
    command = [sys.executable, "-m", "bench.kept_heap", str(chosen.recording), "--here"]
    plain = {name: value for name, value in os.environ.items() if name not in HEAP}
    for name, variables in (("as glibc does it", plain), ("one kept heap", plain | HEAP)) * chosen.pairs:
        print(f"{name:18}", end="", flush=True)
        subprocess.run(command, check=True, env=variables | {"OMP_WAIT_POLICY": "passive"})
    return None


if __name__ == "__main__":
    main()
