"""Broken sound and odd requests against a real server with real weights: what comes back, what it holds.

    .venv/bin/python -m bench.hostile --uploads 10000 --requests 10000

Starts a server of its own on a free port and ends it. The exit status is 1 if an answer was a 5xx, a
connection broke, the answer to an upload took longer than 20 seconds or another one longer than 60 (some of
them are minutes of speech), the process ended, or holds over 150 MB more a minute later. `--seeds` chooses
the files: case n of seed s is the same in every run.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.soak import held
from tests.fuzz.containers import broken
from tests.fuzz.requests import KINDS, OddRequest
from tests.support.server import KEY, Server, running

ROOT = Path(__file__).parents[1]
MOST_GROWTH_MB = 150
LONGEST_SECONDS = {"uploads": 20.0, "requests": 60.0}
"""The most seconds until the end of an answer. No upload is longer than ten seconds; a request may ask for
minutes of speech.
"""
WARM_UPLOADS = 200
"""Uploads before the first measurement: models and pools of threads are then in memory."""


@dataclass
class Tally:
    """The answers that all clients got."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, seconds: float, case: str) -> None:
        with self.lock:
            self.counts[outcome] += 1
            self.slowest = max(self.slowest, (seconds, case))
        if not outcome.isdigit() or int(outcome) >= 500:
            print(f"  {outcome}: {case}", flush=True)

    def wrong(self, longest: float) -> list[str]:
        found = [f"{key} x {n}" for key, n in self.counts.items() if not key.isdigit() or int(key) >= 500]
        return found + ([f"{self.slowest}"] if self.slowest[0] > longest else [])


def upload(server: Server, seed: str, number: int) -> tuple[str, str]:
    """The status of one broken file, and its name."""
    chance = Random(f"{seed} {number}")
    name, data = broken(chance)
    form = chance.choice((b"json", b"verbose_json", b"srt", b"text"))
    body = b""
    for field_name, value in ((b"model", b"whisper-1"), (b"response_format", form), (b"file", data)):
        also = b'; filename="a.wav"' if field_name == b"file" else b""
        body += b'--x\r\nContent-Disposition: form-data; name="' + field_name + b'"' + also + b"\r\n\r\n"
        body += value + b"\r\n"
    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    odd = OddRequest("POST", b"/v1/audio/transcriptions", headers, body + b"--x--\r\n")
    return sent(server, odd), f"seed {seed} case {number}: {name}"


def request(server: Server, seed: str, number: int) -> tuple[str, str]:
    kind = sorted(KINDS)[number % len(KINDS)]
    return sent(server, KINDS[kind](Random(f"{seed} {number}"))), f"seed {seed} case {number}: {kind}"


def sent(server: Server, odd: OddRequest) -> str:
    """The status of the answer, or the error that the connection ended with."""
    host, _, port = server.root.removeprefix("http://").partition(":")
    own = [(b"host", host.encode()), (b"connection", b"close"), (b"content-length", b"%d" % len(odd.body))]
    given = [(name, value) for name, value in odd.headers if name != b"content-length"]
    if not any(name == b"authorization" for name, _ in given):
        own.append((b"authorization", f"Bearer {KEY}".encode()))
    lines = [odd.method.encode() + b" " + odd.target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in [*own, *given]]
    try:
        with socket.create_connection((host, int(port)), max(LONGEST_SECONDS.values())) as link:
            link.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + odd.body)
            answer = http.client.HTTPResponse(link, method=odd.method)
            answer.begin()
            answer.read()
            return str(answer.status)
    except (OSError, http.client.HTTPException) as failure:
        return type(failure).__name__


def many(
    server: Server, one: Callable[[Server, str, int], tuple[str, str]], cases: Iterable[tuple[str, int]],
    clients: int,
) -> Tally:  # fmt: skip
    """All cases, by so many clients at once."""
    tally = Tally()
    waiting = iter(cases)
    lock = threading.Lock()

    def client() -> None:
        while server.process.poll() is None:
            with lock:
                case = next(waiting, None)
            if case is None:
                return
            began = time.monotonic()
            outcome, name = one(server, *case)
            tally.add(outcome, time.monotonic() - began, name)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def cases(seeds: list[str], count: int) -> list[tuple[str, int]]:
    return [(seed, number) for number in range(-(-count // len(seeds))) for seed in seeds][:count]


def attack(server: Server, given: argparse.Namespace) -> list[str]:
    """Sends all cases to a server. Returns what went wrong, one sentence each."""
    many(server, upload, cases(["warm"], WARM_UPLOADS), given.clients)
    before = held(server)
    print(f"before: {before} (MB resident, threads, descriptors)", flush=True)
    wrong = []
    for name, one, count in (("uploads", upload, given.uploads), ("requests", request, given.requests)):
        began = time.monotonic()
        tally = many(server, one, cases(given.seeds.split(","), count), given.clients)
        wrong += tally.wrong(LONGEST_SECONDS[name])
        print(f"{name}: {tally.counts.total()} in {time.monotonic() - began:.0f} s, {dict(tally.counts)}, "
              f"slowest {tally.slowest[0]:.1f} s ({tally.slowest[1]})", flush=True)  # fmt: skip
        if server.process.poll() is not None:
            return [*wrong, f"the process ended with {server.process.returncode}"]
        print(f"after {name}: {held(server)}", flush=True)
    time.sleep(given.rest)
    after = held(server)
    print(f"{given.rest} s later: {after}, memory {after[0] - before[0]:+} MB")
    return wrong + ([f"memory {after[0] - before[0]:+} MB"] if after[0] - before[0] > MOST_GROWTH_MB else [])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seeds", default="0,1,2,3,100,101,102,103")
    parser.add_argument("--rest", type=int, default=60, help="seconds of rest before the last measurement")
    parser.add_argument("--storage", type=Path, default=ROOT / "data", help="folder with the weights")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        database = f"sqlite:///{folder}/antiphon.db"
        with running(given.storage, log, STORAGE_DATABASE_URL=database, LOG_LEVEL="warning") as server:
            wrong = attack(server, given)
        if wrong:
            print(log.read_text(errors="replace")[-5000:])
    print(f"wrong: {wrong or 'nothing'}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
