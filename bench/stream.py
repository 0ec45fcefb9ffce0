"""How soon does a long file begin to speak? The first event of a stream, in units of one window's request.

python -m bench.stream --minutes 10 --clips FOLDER
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.conftest import JFK, ROOT
from tests.support.server import Server, running
from tests.support.sound import RATE, Floats, decode, silence, wav

FIELDS = {"model": "whisper-1", "language": "en"}


def whole(server: Server, data: bytes) -> float:
    """Seconds until the whole answer is there."""
    with server.client() as client:
        began = time.monotonic()
        answer = client.post("/audio/transcriptions", data=FIELDS, files={"file": data})
        answer.raise_for_status()
        return time.monotonic() - began


def first_event(server: Server, data: bytes) -> tuple[float, float]:
    """Seconds until the first event and until the end."""
    with server.client() as client:
        began, first = time.monotonic(), 0.0
        fields = FIELDS | {"stream": "true"}
        with client.stream("POST", "/audio/transcriptions", data=fields, files={"file": data}) as answer:
            for line in answer.iter_lines():
                first = first or (time.monotonic() - began if line.startswith("data:") else 0.0)
        return first, time.monotonic() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--clips", type=Path, help="folder of clips; default: the one in this repository")
    chosen = options.parse_args()
    paths = sorted(chosen.clips.rglob("*.flac")) if chosen.clips else [JFK]
    pieces: list[Floats] = [p for path in paths for p in (decode(path.read_bytes()), silence(0.6))]
    some = np.concatenate(pieces)
    long = np.resize(some, int(chosen.minutes * 60 * RATE)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/antiphon.db"
        with running(ROOT / "data", Path(folder) / "log", STORAGE_DATABASE_URL=database) as server:
            window = wav(long[: 29 * RATE])
            alone = min(whole(server, window) for _ in range(3))
            first, total = first_event(server, wav(long))
    print(f"one window of 29 s alone: {alone:.2f} s")
    print(f"first event of {chosen.minutes:g} minutes: {first:.2f} s, {first / alone:.2f} windows")
    print(f"last event: {total:.1f} s")


if __name__ == "__main__":
    main()
