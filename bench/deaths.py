"""What deaths of processes cost a whole server: engines that obey scripts die in every way, over HTTP.

    .venv/bin/python -m bench.deaths [--requests 100] [--every 1] [--only kills,poison,...]

kills     requests while the process of the model and those that decode uploads are killed every second
stream    the events of a long file meanwhile: text that is lost or doubled
poison    good requests beside one that ends its process: SIGABRT, SIGSEGV, too much memory, no answer
next      a death is noticed after; the next answer after, less the time to load
parent    the server is killed: processes that are left
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from tests.support import process_tree
from tests.support.fake_server import serving
from tests.support.server import Server
from tests.support.sound import tone, wav

CLIP, LONG = wav(tone(1)), wav(tone(300))
CLIENTS = 8
STUCK_SECONDS = 2
WORK = "sleep:0.25"
Told = Iterator[tuple[str, str]]


def post(server: Server, prompt: str, sound: bytes = CLIP, **fields: str) -> httpx2.Response:
    with server.client() as client:
        data = {"model": "whisper-1", "prompt": prompt, **fields}
        return client.post("/audio/transcriptions", data=data, files={"file": sound}, timeout=120)


def children(server: Server, name: bytes) -> list[int]:
    _, *pids = process_tree.family(server.process.pid)
    return [pid for pid in pids if name in program(pid)]


def program(pid: int) -> list[bytes]:
    """The command line of a process; empty if the process has ended."""
    with suppress(OSError):
        return [word for word in process_tree.command(pid) if word]
    return []


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def repeated(act: Callable[[], None], seconds: float) -> Iterator[None]:
    """Calls `act` every `seconds` seconds, on a thread."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(seconds):
            act()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def kills(server: Server, chosen: argparse.Namespace) -> Told:
    engine, reader, waits = list[int](), list[int](), list[float]()
    health = httpx2.Client()

    def strike() -> None:
        engine.extend(pids := children(server, b"app.runtime.child_program"))
        reader.extend(others := children(server, b"app.runtime.reader_program"))
        kill(pids + others)

    def look() -> None:
        began = time.perf_counter()
        health.get(server.root + "/health/live").raise_for_status()
        waits.append(time.perf_counter() - began)

    with ThreadPoolExecutor(CLIENTS) as pool, repeated(strike, chosen.every), repeated(look, 0.01):
        answers = list(pool.map(lambda _: post(server, WORK).status_code, range(chosen.requests)))
    killed = f"{len(engine)} processes of the model and {len(reader)} readers killed"
    yield f"{len(answers)} requests, {killed}: statuses", str(dict(Counter(answers)))
    slow = sorted(waits)[int(0.99 * len(waits))]
    yield (
        f"/health/live meanwhile, {len(waits)} calls: p99, slowest",
        f"{1000 * slow:.0f}, {1000 * max(waits):.0f} ms",
    )


def stream(server: Server, chosen: argparse.Namespace) -> Told:
    whole = texts(post(server, "", LONG, stream="true"))
    victims: list[int] = []

    def strike() -> None:
        victims.extend(pids := [pid for name in PROGRAMS for pid in children(server, name)])
        kill(pids)

    with repeated(strike, chosen.every):
        struck = texts(post(server, "sleep:0.5", LONG, stream="true"))
    lost, doubled = Counter(whole) - Counter(struck), Counter(struck) - Counter(whole)
    yield (
        f"a stream of {len(whole)} windows, {len(victims)} kills: lost, doubled",
        f"{lost.total()}, {doubled.total()}",
    )


def texts(answer: httpx2.Response) -> list[str]:
    """The start of each window of a stream."""
    answer.raise_for_status()
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    told = "".join(event["delta"] for event in events if event["type"] == "transcript.text.delta")
    return re.findall(r"([\d.]+) of \d+", told)


def poison(server: Server, chosen: argparse.Namespace) -> Told:
    for script in ("abort", "segfault", "eat", "hang"):
        with ThreadPoolExecutor(CLIENTS) as pool:
            good = [pool.submit(post, server, "sleep:0.05") for _ in range(10)]
            bad = pool.submit(post, server, script)
            good += [pool.submit(post, server, "sleep:0.05") for _ in range(10)]
            others = Counter(answer.result().status_code for answer in good)
        error = bad.result().json()["error"]
        again = bad.result().headers.get("x-should-retry", "")
        yield (
            f"`{script}`: its status, code, x-should-retry",
            f"{bad.result().status_code} {error['code']} {again}",
        )
        yield f"`{script}`: 20 others", str(dict(others))


def following(server: Server, chosen: argparse.Namespace) -> Told:
    """The page of metrics says when a death is noticed and how long the process took to load."""
    noticed, answered = [], []
    with server.client() as client:
        for _ in range(5):
            assert post(server, "").status_code == 200
            (victim,) = children(server, PROGRAMS[0])
            before = ended(client, server)
            began = time.perf_counter()
            kill([victim])
            while ended(client, server) == before:
                time.sleep(0.001)
            noticed.append(time.perf_counter() - began)
            assert post(server, "").status_code == 200
            answered.append(time.perf_counter() - began)
            time.sleep(0.5)
        page = client.get(server.root + "/metrics").text
    load = re.search(r"antiphon_model_load_seconds_sum\S* (\S+)", page)
    assert load
    yield "a death is noticed after (told by /metrics)", f"{1000 * max(noticed):.0f} ms at most"
    yield "next answer after; the first load took", f"{max(answered):.2f} s at most; {float(load[1]):.2f} s"


def ended(client: httpx2.Client, server: Server) -> list[str]:
    page = client.get(server.root + "/metrics").text
    return [line for line in page.splitlines() if line.startswith("antiphon_child_restarts_total")]


def parent(server: Server, chosen: argparse.Namespace) -> Told:
    assert post(server, "").status_code == 200
    _, *pids = process_tree.family(server.process.pid)
    began = time.perf_counter()
    server.process.kill()
    server.process.wait()
    while left := [
        pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and process_tree.command(pid)
    ]:
        if time.perf_counter() > began + 10:
            break
        time.sleep(0.005)
    took = f"after {1000 * (time.perf_counter() - began):.0f} ms"
    yield f"the server is killed: of {len(pids)} processes are left", f"{len(left)} {took}"


PROGRAMS = (b"app.runtime.child_program", b"app.runtime.reader_program")
MEASURES: dict[str, Callable[[Server, argparse.Namespace], Told]] = {
    "kills": kills,
    "stream": stream,
    "poison": poison,
    "next": following,
    "parent": parent,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default=",".join(MEASURES))
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two kills")
    chosen = parser.parse_args()
    for part in chosen.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            stuck = str(STUCK_SECONDS)
            with serving(Path(folder), engines="scripted", RUNTIME_STUCK_SECONDS=stuck) as server:
                for what, value in MEASURES[part](server, chosen):
                    print(f"| {what} | {value} |", flush=True)


if __name__ == "__main__":
    main()
