"""How well are speakers told apart? Equal error rate, and what each threshold would cost.

    .venv/bin/python -m bench.speaker_check FOLDER

FOLDER holds clips whose names begin with the speaker and a hyphen (LibriSpeech's way).
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from engines.speakers import encoder
from engines.types import EngineOptions, Pcm
from tests.conftest import ROOT
from tests.support.sound import decode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    hears = encoder.load(ROOT / "data/weights/pyannote-starter", EngineOptions())
    vectors = {
        path: hears.embed(Pcm(decode(path.read_bytes()))) for path in sorted(chosen.folder.glob("*.flac"))
    }
    same: list[float] = []
    other: list[float] = []
    for (a, one), (b, two) in itertools.combinations(vectors.items(), 2):
        (same if speaker(a) == speaker(b) else other).append(float(one @ two))
    report(np.array(same), np.array(other))


def speaker(path: Path) -> str:
    return path.name.partition("-")[0]


def report(same: np.ndarray, other: np.ndarray) -> None:
    print(f"{len(same)} pairs of one speaker: mean {same.mean():.3f}, lowest {same.min():.3f}")
    print(f"{len(other)} pairs of two speakers: mean {other.mean():.3f}, highest {other.max():.3f}")
    thresholds = np.linspace(-1, 1, 2001)
    rejects = np.array([(same < t).mean() for t in thresholds])
    accepts = np.array([(other >= t).mean() for t in thresholds])
    at = int(np.argmin(np.abs(rejects - accepts)))
    print(f"equal error rate {100 * (rejects[at] + accepts[at]) / 2:.2f} % at {thresholds[at]:.3f}")
    print("| threshold | false rejects % | false accepts % |\n|---|---|---|")
    for t in np.arange(0.50, 0.76, 0.03):
        print(f"| {t:.2f} | {100 * (same < t).mean():.2f} | {100 * (other >= t).mean():.2f} |")


if __name__ == "__main__":
    main()
