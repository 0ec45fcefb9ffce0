"""Hours of recordings with known speakers in one request for `diarized_json`: time, memory, speakers.

    .venv/bin/python -m bench.long_talk FOLDER [--hours 2] [--cli] [--plain]

FOLDER is searched for sound with .rttm beside it, and for clips whose names begin with the speaker and a
hyphen. They are joined in random order (fixed seed) with pauses of 0.5 to 3 s. A name is one person in all
files.
`--cli`: `antiphon transcribe --diarize` instead of a server. `--plain`: only the words, to see what the
speakers add. Memory is that of the server, or of the command, with all processes that it started; pages that
they share count once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from bench.diarization_scores import Turns, read_rttm
from engines.types import SAMPLE_RATE, Samples
from tests.conftest import ROOT
from tests.support.conversations import Conversation, Said
from tests.support.process_tree import cpu_seconds, proportional
from tests.support.server import ANTIPHON, KEY, environment, running
from tests.support.sound import decode, encode

SOUND = {".flac", ".wav"}
PAUSE_SECONDS = (0.5, 3.0)
TIMEOUT_SECONDS = 7200
COLLAR_SECONDS = 0.25
UPLOAD_BYTES = 1 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--cli", action="store_true", help="the command instead of a server")
    parser.add_argument("--plain", action="store_true", help="without speakers")
    chosen = parser.parse_args()
    talk = joined([*recordings(chosen.folder)], chosen.hours * 3600)
    print(f"{talk.seconds:.0f} s, {len({turn.speaker for turn in talk.turns})} speakers", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talk.flac"
        path.write_bytes(encode(talk.samples, "flac", "flac", SAMPLE_RATE))
        done = by_command(path, plain=chosen.plain) if chosen.cli else by_server(path, plain=chosen.plain)
    cost(talk, done)
    if not chosen.plain:
        speakers(talk, done.answer["segments"])


def recordings(folder: Path) -> Iterator[Conversation]:
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SOUND):
        turns, samples = path.with_suffix(".rttm"), decode(path.read_bytes())
        speaker, hyphen, _ = path.name.partition("-")
        if turns.exists():
            yield Conversation(samples, tuple(read_rttm(turns)))
        elif hyphen:
            yield Conversation(samples, (Said(0.0, len(samples) / SAMPLE_RATE, speaker),))


def joined(parts: Sequence[Conversation], seconds: float) -> Conversation:
    """One conversation of `seconds`: all parts in random order, repeated until it is long enough."""
    chance = random.Random(1)
    sounds: list[Samples] = []
    turns: list[Said] = []
    at = 0.0
    while True:
        for part in chance.sample(list(parts), len(parts)):
            if at >= seconds:
                return Conversation(np.concatenate(sounds), tuple(turns))
            turns += [Said(at + turn.start, at + turn.end, turn.speaker) for turn in part.turns]
            pause = np.zeros(round(chance.uniform(*PAUSE_SECONDS) * SAMPLE_RATE), np.float32)
            sounds += [part.samples, pause]
            at += (len(part.samples) + len(pause)) / SAMPLE_RATE


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """Measures the resident memory of a process, in megabytes, now and every two seconds."""
    memory, ended = [proportional(pid) / 1e6], threading.Event()

    def watch() -> None:
        while not ended.wait(2):
            memory.append(proportional(pid) / 1e6)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield memory
    ended.set()
    watcher.join()


@dataclass(frozen=True)
class Done:
    """The result of one run."""

    answer: dict[str, Any]
    seconds: float
    memory: list[float]
    cpu_seconds: float


def by_server(path: Path, *, plain: bool) -> Done:
    with tempfile.TemporaryDirectory() as folder:
        serving = running(
            ROOT / "data",
            Path(folder) / "log",
            STORAGE_DATABASE_URL=f"sqlite:///{folder}/antiphon.db",
            LIMITS_UPLOAD_BYTES=str(UPLOAD_BYTES),
            LIMITS_REQUEST_SECONDS=str(TIMEOUT_SECONDS),
        )
        with (
            serving as server,
            watched(server.process.pid) as memory,
            path.open("rb") as file,
        ):
            began, spent = time.monotonic(), cpu_seconds(server.process.pid)
            answer = httpx2.post(
                f"{server.url}/audio/transcriptions",
                headers={"authorization": f"Bearer {KEY}"},
                data={"model": "whisper-1", "response_format": form(plain=plain)},
                files={"file": file},
                timeout=TIMEOUT_SECONDS,
            )
            answer.raise_for_status()
            took = time.monotonic() - began
            return Done(answer.json(), took, memory, cpu_seconds(server.process.pid) - spent)


def by_command(path: Path, *, plain: bool) -> Done:
    call = [
        ANTIPHON,
        "transcribe",
        *([] if plain else ["--diarize"]),
        "--format",
        form(plain=plain),
        str(path),
    ]
    began, spent = time.monotonic(), os.times().children_user + os.times().children_system
    with subprocess.Popen(call, env=environment(ROOT / "data"), stdout=subprocess.PIPE) as process:
        assert process.stdout
        with watched(process.pid) as memory:
            answer = json.loads(process.stdout.read())
        process.wait()
        took = time.monotonic() - began
    return Done(answer, took, memory, os.times().children_user + os.times().children_system - spent)


def form(*, plain: bool) -> str:
    return "verbose_json" if plain else "diarized_json"


def cost(talk: Conversation, done: Done) -> None:
    print(f"{done.seconds:.0f} s, RTF {done.seconds / talk.seconds:.3f}, {done.cpu_seconds:.0f} CPU s")
    quarters = [f"{max(part):.0f}" for part in np.array_split(np.array(done.memory), 4) if len(part)]
    print(f"MB: {done.memory[0]:.0f} before, the most in each quarter {' '.join(quarters)}", flush=True)


def speakers(talk: Conversation, segments: list[dict[str, Any]]) -> None:
    found = [Said(one["start"], one["end"], one["speaker"]) for one in segments]
    rates = Turns()
    rates.add(talk.turns, found, talk.seconds, COLLAR_SECONDS)
    wrong = 100 * rates.confused / rates.total
    print(f"{len(segments)} segments, {len({turn.speaker for turn in found})} speakers found")
    print(f"speech of known time with another speaker: {wrong:.1f} % (collar {COLLAR_SECONDS} s)")


if __name__ == "__main__":
    main()
