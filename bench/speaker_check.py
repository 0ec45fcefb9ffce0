"""How well are speakers told apart? Equal error rate, what each threshold would cost, and mixtures of two.

    .venv/bin/python -m bench.speaker_check FOLDER [--seconds 3] [--mixtures]

FOLDER holds clips whose names begin with the speaker and a hyphen (LibriSpeech's way). `--seconds`: only so
much of the middle of each clip. `--mixtures`: also the server's check that a sample has one speaker,
on 12 s each of every pair of speakers, and up to three stretches of 24 s of each speaker alone.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import itertools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.container import Container
from app.services.steps.recordings import chunks, listen
from app.services.voices import SAMPLE_PIECE_SECONDS
from app.settings.load import load_settings
from engines.speakers import encoder
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, Samples
from tests.conftest import ROOT
from tests.support.sound import decode, wav

MIXED_SECONDS = 12
"""Seconds of each of the two speakers of a mixture; a sample of one speaker is as long as both."""
MOST_ALONE = 3
"""The most samples of one speaker."""
LONGEST_SAMPLE = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=LONGEST_SAMPLE, help="of each clip")
    parser.add_argument("--mixtures", action="store_true", help="also the check of one speaker")
    chosen = parser.parse_args()
    hears = encoder.load(ROOT / "data/weights/pyannote-starter", EngineOptions())
    clips = {path: decode(path.read_bytes()) for path in sorted(chosen.folder.glob("*.flac"))}
    vectors = {path: hears.embed(Pcm(_middle(clip, chosen.seconds))) for path, clip in clips.items()}
    same: list[float] = []
    other: list[float] = []
    for (a, one), (b, two) in itertools.combinations(vectors.items(), 2):
        (same if speaker(a) == speaker(b) else other).append(float(one @ two))
    report(np.array(same), np.array(other))
    if chosen.mixtures:
        readers: dict[str, list[Samples]] = defaultdict(list)
        for path, clip in clips.items():
            readers[speaker(path)].append(clip)
        whole = {name: np.concatenate(sounds) for name, sounds in readers.items()}
        asyncio.run(mixtures(hears, list(whole.values())))


def _middle(clip: Samples, seconds: float) -> Samples:
    size = min(len(clip), round(seconds * SAMPLE_RATE))
    begin = (len(clip) - size) // 2
    return clip[begin : begin + size]


async def mixtures(hears: encoder.CamPlusPlus, readers: Sequence[Samples]) -> None:
    """Prints how alike the least similar pieces of a sample are, for samples of two speakers and of one."""
    half = MIXED_SECONDS * SAMPLE_RATE
    mixed = [np.concatenate([a[:half], b[:half]]) for a, b in itertools.combinations(readers, 2)]
    alone = [
        one[at : at + 2 * half]
        for one in readers
        for at in range(0, len(one) - 2 * half + 1, 2 * half)[:MOST_ALONE]
    ]
    settings = load_settings()
    container = Container(settings)
    try:
        two = np.array([await _least_likeness(container, hears, sample) for sample in mixed])
        one = np.array([await _least_likeness(container, hears, sample) for sample in alone])
    finally:
        await container.close()
    least = settings.voices.one_speaker_threshold
    print(f"{len(two)} mixtures of two: {(two < least).sum()} found at {least}, highest {two.max():.3f}")
    print(f"{len(one)} samples of one: {(one < least).sum()} refused, lowest {one.min():.3f}")


async def _least_likeness(container: Container, hears: encoder.CamPlusPlus, sample: Samples) -> float:
    with container.runner.admit() as permit:
        file = io.BytesIO(wav(sample))
        heard = await listen(container.runner, container.threads, file, LONGEST_SAMPLE, permit, "sample")
    pieces = np.stack([hears.embed(Pcm(piece)) for piece in chunks(heard.speech, SAMPLE_PIECE_SECONDS)])
    return float((pieces @ pieces.T).min())


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
