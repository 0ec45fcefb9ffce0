"""Hours of real speech with known positions: are words where they were said, and does memory stay flat?

    python -m bench.long_file --hours 2 --clips FOLDER

Clips are placed one after the other with pauses of known length. Each clip is also transcribed alone; its
words, moved to the clip's place, are the truth. Printed: the share of words found again, the share of those
within 0.3 s, the drift over the file, the real-time factor, the peak memory of the server.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from tests.conftest import JFK, ROOT
from tests.support.server import KEY, Server, running
from tests.support.sound import RATE, Floats, decode, encode, silence

FIELDS = {"model": "whisper-1", "language": "en", "response_format": "verbose_json"}


@dataclass(frozen=True)
class Placed:
    """A word and when it is said, in seconds."""

    text: str
    start: float


def words_of(server: Server, data: bytes) -> list[Placed]:
    answer = httpx2.post(
        f"{server.url}/audio/transcriptions",
        headers={"authorization": f"Bearer {KEY}"},
        data=FIELDS | {"timestamp_granularities[]": "word"},
        files={"file": data},
        timeout=7200,
    )
    answer.raise_for_status()
    return [Placed(word["word"].lower(), word["start"]) for word in answer.json()["words"]]


def build(clips: list[Floats], alone: list[list[Placed]], hours: float) -> tuple[Floats, list[Placed]]:
    """The long audio and the words that are in it."""
    random = np.random.default_rng(1)
    pieces, truth, at, index = [], [], 0.0, 0
    while at < hours * 3600:
        clip = index % len(clips)
        pause = round(float(random.uniform(0.2, 4.0)), 3)
        pieces += [silence(pause), clips[clip]]
        at += len(pieces[-2]) / RATE
        truth += [Placed(word.text, word.start + at) for word in alone[clip]]
        at += len(clips[clip]) / RATE
        index += 1
    return np.concatenate(pieces), truth


def matched(truth: list[Placed], found: list[Placed]) -> list[tuple[Placed, Placed]]:
    """Pairs of equal words. They are matched minute by minute: clips are repeated, so a word must be
    looked for near its place.
    """
    pairs, at = [], 0
    for begin in range(0, int(truth[-1].start) + 1, 60):
        here = [word for word in truth if begin <= word.start < begin + 60]
        while at < len(found) and found[at].start < begin - 2:
            at += 1
        near = [word for word in found[at:] if word.start < begin + 62]
        matcher = SequenceMatcher(None, [w.text for w in here], [w.text for w in near], autojunk=False)
        pairs += [
            (here[a + i], near[b + i]) for a, b, size in matcher.get_matching_blocks() for i in range(size)
        ]
    return pairs


def compare(truth: list[Placed], found: list[Placed]) -> dict[str, Any]:
    pairs = matched(truth, found)
    off = np.array([heard.start - said.start for said, heard in pairs])
    tenth = max(1, len(off) // 10)
    return {
        "words": len(truth),
        "words found again": f"{100 * len(pairs) / len(truth):.1f} %",
        "words too many": f"{100 * (len(found) - len(pairs)) / len(truth):.1f} %",
        "of those within 0.3 s": f"{100 * float(np.mean(np.abs(off) <= 0.3)):.1f} %",
        "median difference, first tenth": f"{1000 * float(np.median(off[:tenth])):.0f} ms",
        "median difference, last tenth": f"{1000 * float(np.median(off[-tenth:])):.0f} ms",
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--hours", type=float, default=2.0)
    options.add_argument("--clips", type=Path, help="folder of clips; default: the one in this repository")
    chosen = options.parse_args()
    paths = sorted(chosen.clips.rglob("*.flac")) if chosen.clips else [JFK]
    clips = [decode(path.read_bytes()) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/antiphon.db"
        log, limit = Path(folder) / "log", str(1 << 30)
        with running(ROOT / "data", log, STORAGE_DATABASE_URL=database, LIMITS_UPLOAD_BYTES=limit) as server:
            alone = [words_of(server, path.read_bytes()) for path in paths]
            audio, truth = build(clips, alone, chosen.hours)
            data = encode(audio, "flac", "flac", RATE)
            before, began = server.peak, time.monotonic()
            found = words_of(server, data)
            took = time.monotonic() - began
            for name, value in compare(truth, found).items():
                print(f"{name}: {value}")
            print(f"audio: {len(audio) / RATE:.0f} s, time: {took:.0f} s, RTF {took * RATE / len(audio):.3f}")
            print(f"peak memory of the server: {server.peak / 1e6:.0f} MB ({before / 1e6:.0f} MB before)")


if __name__ == "__main__":
    main()
