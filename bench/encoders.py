"""Whisper base's encoder on OpenVINO beside CTranslate2's: CPU time, and the error beside float32.

    .venv/bin/python -m bench.encoders RECORDING

Encodes the first seconds of the recording on one thread. Each figure is the median of seven.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.bench_stt import commit
from engines.types import EngineOptions, Samples
from engines.whisper.ctranslate2_arrays import numbers
from engines.whisper.features import Features
from engines.whisper.openvino_encoder import load_encoder
from tests.conftest import ROOT
from tests.support.sound import decode

LENGTHS = (600, 1000, 2000, 2800, 3000)
ROUNDS = 7


def cost(encode: Callable[[Samples], object], features: Samples) -> float:
    """CPU milliseconds of one encoding."""
    encode(features)  # what the first one of a length prepares is not counted
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        encode(features)
        spent.append(1000 * (time.process_time() - began))
    return statistics.median(spent)


def measure(recording: Path, folder: Path) -> None:
    from faster_whisper import WhisperModel

    exact, theirs = (
        WhisperModel(str(folder), device="cpu", compute_type=kind, cpu_threads=1, local_files_only=True)
        for kind in ("float32", "int8")
    )
    ours = load_encoder(folder, EngineOptions(device="cpu", threads=1, workers=1))
    if not ours:
        raise SystemExit("OpenVINO is not used on this machine; the log of a server says why.")
    whole = Features(exact.feature_extractor, 1).of(decode(recording.read_bytes()))[None]
    for frames in LENGTHS:
        features = np.ascontiguousarray(whole[:, :, :frames])
        true = numbers(exact.encode(features))
        errors = [
            np.abs(one - true).mean() / np.abs(true).mean()
            for one in (numbers(theirs.encode(features)), ours.encode(features))
        ]
        costs = cost(theirs.encode, features), cost(ours.encode, features)
        print(
            f"{frames} frames: CTranslate2 {costs[0]:.0f} ms, OpenVINO {costs[1]:.0f} ms "
            f"({costs[1] / costs[0]:.2f}); error {errors[0]:.3f} and {errors[1]:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "data/weights/whisper-base")
    chosen = parser.parse_args()
    print(f"commit {commit()}", flush=True)
    measure(chosen.recording, chosen.model)


if __name__ == "__main__":
    main()
