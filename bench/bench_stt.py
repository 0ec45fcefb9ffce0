"""Transcription: our server beside plain faster-whisper, in turn on one machine; ratios, as machines differ.

    .venv/bin/python -m bench.bench_stt                       # everything: half an hour on two cores
    .venv/bin/python -m bench.bench_stt --only lone,many      # some of it
    .venv/bin/python -m bench.bench_stt --against http://127.0.0.1:9000/v1 --key sk-... --model NAME
    .venv/bin/python -m bench.bench_stt --device cuda         # both on the GPU (docs/gpu.md)

Plain faster-whisper runs in this process: same weights, int8 (float16 on a GPU), beam 5, two threads. Ours is
a server in a process of its own, over HTTP. The speech is made with Piper, or read from `--clips FOLDER`.

lone      one clip of 5 s: its latency / plain's; and the server's overhead over the same work in process
many      32 clips of 3 to 7 s, 8 at a time: audio seconds per CPU second / plain's, one after the other
long      a file of ten minutes: time / `BatchedInferencePipeline`'s; first event of its stream / one window
fair      a clip of 3 s that comes behind ten files of ten minutes: latency / a lone one's
crowd     16 uploads of ten minutes at once: peak memory, answers, 99th percentile of /health/live
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # for both: spinning threads would slow each other

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.stt_measures import MEASURES, Bench, Goal
from bench.stt_sides import Ours, Plain, Remote, made_clips, read_clips
from tests.conftest import ROOT
from tests.support.server import running


@dataclass(frozen=True)
class Line:
    """One row of the report."""

    goal: Goal
    value: float

    def __str__(self) -> str:
        met = "" if self.goal.limit is None else " met" if self.goal.meets(self.value) else " MISSED"
        aim = f"goal {self.goal.sign} {self.goal.limit:g}" if self.goal.limit is not None else "no goal"
        return f"| {self.goal.what} | {self.value:.2f} {self.goal.unit} | {aim}{met} |"


def settings(chosen: argparse.Namespace, folder: str) -> dict[str, str]:
    """Whisper alone, so that its memory is measured and not that of voices."""
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
    parser.add_argument("--rounds", type=int, default=7, help="pairs of each measure")
    parser.add_argument("--clips", type=Path, help="folder of speech; default: made with Piper")
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
    clips = read_clips(chosen.clips) if chosen.clips else made_clips(chosen.storage)
    weights = chosen.storage / "weights" / "whisper-base"
    other = (
        Remote(chosen.against, chosen.key, chosen.model)
        if chosen.against
        else Plain(weights, chosen.device, chosen.threads, chosen.rows)
    )
    print("| measure | result | goal |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.only.split(","):
            log = Path(folder) / f"{name}.log"
            given = settings(chosen, folder)
            with running(chosen.storage, log, ready=True, **given) as server:
                bench = Bench(
                    Ours(server), other, clips, chosen.rounds, chosen.minutes, chosen.uploads, chosen.storage
                )
                for goal, value in MEASURES[name](bench):
                    print(Line(goal, value), flush=True)


if __name__ == "__main__":
    main()
