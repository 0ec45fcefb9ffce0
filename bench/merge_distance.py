"""The distance from which two clusters are two people: error rates at several, on the same vectors.

    .venv/bin/python -m bench.merge_distance FOLDER... [--at 0.475 0.525 0.55 0.575] [--step 1.25]

FOLDER: sound files with .rttm beside them, such as those that `bench.made_conversations` makes. Strict DER in
percent, and the speakers found and true of each file. `--step`: seconds between two windows of the
segmentation.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from app.runtime.diarizer_stretches import DiarizerStretches
from bench.bench_diarization import SOUND, WEIGHTS, group, said
from bench.diarization_scores import Turns, read_rttm
from engines.speakers import clustering
from engines.speakers import engine as speakers
from engines.types import SAMPLE_RATE, DiarizeOptions, EngineOptions
from engines.work import LookSize, Seen
from tests.support.sound import decode

AT = (0.475, 0.5, 0.525, 0.55, 0.575)
HeardFile = tuple[Path, Sequence[Seen], float]
"""A file, its looks, its seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--at", type=float, nargs="+", default=AT, help="distances")
    parser.add_argument("--step", type=float, default=speakers.WINDOW_STEP)
    chosen = parser.parse_args()
    speakers.WINDOW_STEP = chosen.step
    engine = speakers.load(WEIGHTS / "pyannote-starter", EngineOptions())
    files = [path for folder in chosen.folders for path in sorted(folder.rglob("*")) if path.suffix in SOUND]
    heard = [_heard(engine, path) for path in files if path.with_suffix(".rttm").exists()]
    groups = list(dict.fromkeys(group(path) for path, _, _ in heard))
    print(f"| cut at | {' | '.join(groups)} |\n|{'---|' * (len(groups) + 1)}")
    for distance in chosen.at:
        clustering.MERGE_DISTANCE = distance
        print(f"| {distance} | {' | '.join(_row(engine, heard, groups))} |", flush=True)


def _heard(engine: speakers.SpeakersDiarizer, path: Path) -> HeardFile:
    samples = decode(path.read_bytes())
    cutter = DiarizerStretches(LookSize(engine.span, engine.hop))
    parts = [*cutter.feed(samples), *cutter.flush()]
    seen = [engine.look(part.samples, part.start, end=part.end) for part in parts]
    return path, seen, len(samples) / SAMPLE_RATE


def _row(
    engine: speakers.SpeakersDiarizer, heard: Sequence[HeardFile], groups: Sequence[str]
) -> Sequence[str]:
    rates: dict[str, Turns] = defaultdict(Turns)
    counts: dict[str, list[str]] = defaultdict(list)
    for path, seen, seconds in heard:
        reference = read_rttm(path.with_suffix(".rttm"))
        found = said(engine.assemble(seen, DiarizeOptions()))
        rates[group(path)].add(reference, found, seconds, 0.0)
        both = (len({turn.speaker for turn in turns}) for turns in (found, reference))
        counts[group(path)].append("/".join(map(str, both)))
    return [f"{rates[name].rate:.2f} ({' '.join(counts[name])})" for name in groups]


if __name__ == "__main__":
    main()
