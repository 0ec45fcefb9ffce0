"""Transcription: our server beside plain faster-whisper, in turn on one machine; ratios, as machines differ.

    .venv/bin/python -m bench.bench_stt --clips FOLDER --quick    # all measures: 20 minutes on two cores
    .venv/bin/python -m bench.bench_stt --clips FOLDER --quick --only lone,many,long,files,start # 10 min
    .venv/bin/python -m bench.bench_stt --clips FOLDER --quick --only fair,crowd                 # 10 min
    .venv/bin/python -m bench.bench_stt --clips FOLDER            # more pairs, all made speech: two hours
    .venv/bin/python -m bench.bench_stt --only lone,many          # some of it, on made speech alone
    .venv/bin/python -m bench.bench_stt --against http://127.0.0.1:9000/v1 --key sk-... --model NAME
    .venv/bin/python -m bench.bench_stt --device cuda             # both on the GPU (docs/gpu.md)

Plain faster-whisper runs in this process: same weights, int8 (float16 on a GPU), beam 5, two threads. Ours is
a server in a process of its own, over HTTP. Real recordings come first, from `--clips FOLDER`: English; files
of more than two minutes make the long file, shorter ones the clips. Speech made with Piper and Kokoro comes
second: it is clearer than people speak, so that greedy decoding is hardly ever doubted.

start     seconds until a server with Whisper, Piper and Kokoro is ready; its memory while it is idle
lone      clips of 4 to 9 s: latency and CPU / plain's (made speech: eight languages); the server's overhead
many      32 clips of 3 to 7 s, 8 at a time: CPU for a second of sound / plain's, one after the other
long      a file of ten minutes: time, CPU and words / `BatchedInferencePipeline`'s; first event of its stream
files     each recording of 25 s and more: time and CPU / plain's sequential decoding with its own VAD
fair      a clip of 3 s that comes behind ten files of ten minutes: latency / a lone one's
crowd     16 uploads of ten minutes at once: time, memory during and after them, answers

Last comes the slowest answer of /health/live under `fair` and `crowd`. With `--quick` there are two pairs of
ten minutes, one of the other long ones, and made speech for `lone` only.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # for both: spinning threads would slow each other

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.stt_load import MEASURES
from bench.stt_measures import Bench
from bench.stt_pairs import Goal
from bench.stt_sides import Ours, Plain, Remote, Speech, made_clips, read_clips
from tests.conftest import ROOT
from tests.support.server import running


def settings(chosen: argparse.Namespace, folder: str) -> dict[str, str]:
    """Settings of a server with Whisper alone, so that the memory of voices is not measured."""
    return {
        "STORAGE_DATABASE_URL": f"sqlite:///{folder}/antiphon.db",
        "MODELS_PRELOAD": chosen.preload,
        "TRANSCRIPTION_DEVICE": chosen.device,
        "RUNTIME_BATCH_ROWS": str(chosen.rows),
        **dict(pair.split("=", 1) for pair in chosen.set),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default=",".join(MEASURES), help="measures, separated by commas")
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    parser.add_argument("--rounds", type=int, help="pairs of each measure (7; with --quick 3)")
    parser.add_argument("--clips", type=Path, help="folder of real recordings, measured first")
    parser.add_argument("--made", help="measures on made speech, by commas (all; with --quick lone)")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the long files")
    parser.add_argument("--uploads", type=int, default=16, help="long files at once")
    parser.add_argument(
        "--against", default="", help="base URL of another server, instead of plain faster-whisper"
    )
    parser.add_argument("--key", default="none", help="its key")
    parser.add_argument("--model", default="whisper-1", help="the model to ask it for")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=2, help="of plain faster-whisper")
    parser.add_argument("--rows", type=int, default=8, help="our batches, and those of the pipeline")
    parser.add_argument("--preload", default="whisper-base")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of our server"
    )
    parser.add_argument("--storage", type=Path, default=ROOT / "data")
    chosen = parser.parse_args()
    other = _other(chosen)
    print(f"commit {commit()}", flush=True)
    asked = [name for name in chosen.only.split(",") if name]
    made = asked if chosen.made is None else chosen.made.split(",")
    made = [name for name in made if name in asked and (name == "lone" or not chosen.quick)]
    if chosen.clips:
        _measure("real recordings", read_clips(chosen.clips), other, chosen, asked)
    if made:
        _measure("made speech", made_clips(chosen.storage), other, chosen, made)


def commit() -> str:
    """The commit of the code that is measured, and whether files differ from it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


def _other(chosen: argparse.Namespace) -> Plain | Remote:
    if chosen.against:
        return Remote(chosen.against, chosen.key, chosen.model)
    weights = chosen.storage / "weights" / "whisper-base"
    return Plain(weights, chosen.device, chosen.threads, chosen.rows)


def _measure(
    title: str, speech: Speech, other: Plain | Remote, chosen: argparse.Namespace, names: list[str]
) -> None:
    print(f"\n| {title} | result | goal |\n|---|---|---|", flush=True)
    waits: list[float] = []
    rounds = chosen.rounds or (3 if chosen.quick else 7)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            began = time.perf_counter()
            log = Path(folder) / f"{name}.log"
            given = settings(chosen, folder)
            with running(chosen.storage, log, ready=True, **given) as server:
                bench = Bench(
                    Ours(server), other, speech, rounds, chosen.minutes, chosen.uploads, chosen.storage,
                    quick=chosen.quick, waits=waits,
                )  # fmt: skip
                for goal, value in MEASURES[name](bench):
                    print(goal.line(value), flush=True)
            print(f"  {name} took {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    if waits:
        middle = f"(median {1000 * statistics.median(waits):.1f} ms)"
        goal = Goal(f"/health/live under that load, slowest of {len(waits)} {middle}", "<=", 60.0, "ms")
        print(goal.line(1000 * max(waits)), flush=True)


if __name__ == "__main__":
    main()
