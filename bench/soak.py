"""Ten minutes of mixed requests against a real server: memory, threads and file descriptors must stay flat.

    .venv/bin/python -m bench.soak --minutes 10 --clients 4

Starts a server of its own on a free port, with the settings' defaults and one key, and prints a row a minute:
answers by status, latencies, and what the server and its child processes hold. The last lines compare
the second minute with the last one.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np

from tests.support import process_tree
from tests.support.server import KEY, Server, running
from tests.support.sound import wav

ROOT = Path(__file__).parents[1]
JFK = (ROOT / "tests/data/jfk.flac").read_bytes()
Request = Callable[[httpx2.AsyncClient, random.Random], Awaitable[int]]


@dataclass
class Minute:
    """The answers and latencies of one minute."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


async def transcribe(client: httpx2.AsyncClient, dice: random.Random) -> int:
    fields = {"model": "whisper-1", "response_format": dice.choice(["json", "srt", "verbose_json", "text"])}
    answer = await client.post("/audio/transcriptions", data=fields, files={"file": ("a.flac", JFK)})
    return answer.status_code


async def stream(client: httpx2.AsyncClient, dice: random.Random) -> int:
    fields = {"model": "gpt-4o-transcribe", "stream": "true"}
    async with client.stream(
        "POST", "/audio/transcriptions", data=fields, files={"file": ("a", JFK)}
    ) as answer:
        async for _ in answer.aiter_bytes():
            if dice.random() < 0.2:
                break  # a client that leaves
        return answer.status_code


async def noise(client: httpx2.AsyncClient, dice: random.Random) -> int:
    sound = np.random.default_rng(dice.randrange(1000)).normal(0, 0.1, 16_000 * 3).astype(np.float32)
    fields = {"model": "whisper-1"}
    answer = await client.post("/audio/transcriptions", data=fields, files={"file": ("n.wav", wav(sound))})
    return answer.status_code


async def speak(client: httpx2.AsyncClient, dice: random.Random) -> int:
    body = {
        "model": "tts-1",
        "voice": dice.choice(["alloy", "cedar", "marin"]),
        "input": "Good morning.",
        "response_format": dice.choice(["mp3", "opus", "wav", "pcm", "flac", "aac"]),
    }
    answer = await client.post("/audio/speech", json=body)
    return answer.status_code


async def garbage(client: httpx2.AsyncClient, dice: random.Random) -> int:
    data = dice.randbytes(2000)
    answer = await client.post(
        "/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("x.mp3", data)}
    )
    return answer.status_code


async def bad_field(client: httpx2.AsyncClient, dice: random.Random) -> int:
    fields = {
        "model": "whisper-1",
        "temperature": dice.choice(["9" * 400, "nan", "-1", "\ud800".encode("utf-8", "replace").decode()]),
    }
    answer = await client.post("/audio/transcriptions", data=fields, files={"file": ("a.flac", JFK)})
    return answer.status_code


async def unknown(client: httpx2.AsyncClient, dice: random.Random) -> int:
    return (await client.get(f"/models/{dice.randrange(10**9)}")).status_code


async def lists(client: httpx2.AsyncClient, dice: random.Random) -> int:
    return (await client.get(dice.choice(["/models", "/audio/voices", "/audio/voice_consents"]))).status_code


async def no_key(client: httpx2.AsyncClient, dice: random.Random) -> int:
    return (await client.get("/models", headers={"Authorization": "Bearer wrong"})).status_code


REQUESTS: dict[Request, int] = {
    transcribe: 3, stream: 2, noise: 1, speak: 3, garbage: 2, bad_field: 2, unknown: 1, lists: 2, no_key: 1
}  # fmt: skip
"""Kinds of requests and how often each comes, in parts."""


HELD = ("server MB", "children MB", "children", "threads", "descriptors")
"""What a row holds: memory (shared pages count once), child processes, and threads and descriptors of all."""


def held(server: Server) -> tuple[int, ...]:
    """What the server and its child processes hold now, in the columns of `HELD`."""
    pid = server.process.pid
    whole = process_tree.proportional(pid) // 1_000_000
    own = process_tree.proportional(pid, children=False) // 1_000_000
    children = len(process_tree.family(pid)) - 1
    return own, whole - own, children, server.threads, process_tree.descriptors(pid)


async def one_client(server: Server, until: float, minutes: list[Minute], began: float, seed: int) -> None:
    dice = random.Random(seed)
    kinds, weights = list(REQUESTS), list(REQUESTS.values())
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=120) as client:
        while time.monotonic() < until:
            kind = dice.choices(kinds, weights)[0]
            start = time.monotonic()
            try:
                status = str(await kind(client, dice))
            except httpx2.HTTPError as failure:
                status = type(failure).__name__
            minute = minutes[min(len(minutes) - 1, int((start - began) // 60))]
            minute.statuses[status] += 1
            minute.seconds.append(time.monotonic() - start)


async def watch(server: Server, minutes: list[Minute], began: float) -> list[tuple[int, ...]]:
    """Prints a row at the end of each minute."""
    rows = []
    print("minute  requests  p50 s  p99 s  max s  " + "  ".join(HELD) + "  statuses")
    for number, minute in enumerate(minutes, 1):
        await asyncio.sleep(max(0.0, began + 60 * number - time.monotonic()))
        rows.append(held(server))
        seconds = sorted(minute.seconds) or [0.0]
        late = seconds[min(len(seconds) - 1, int(0.99 * len(seconds)))]
        times = f"{statistics.median(seconds):5.2f}  {late:5.2f}  {seconds[-1]:5.2f}"
        holds = "  ".join(f"{value:{len(name)}}" for name, value in zip(HELD, rows[-1], strict=True))
        print(
            f"{number:6}  {len(seconds):8}  {times}  {holds}  {dict(sorted(minute.statuses.items()))}",
            flush=True,
        )
    return rows


async def soak(server: Server, count: int, clients: int) -> None:
    began = time.monotonic()
    minutes = [Minute() for _ in range(count)]
    work = [one_client(server, began + 60 * count, minutes, began, seed) for seed in range(clients)]
    clients_at_work = asyncio.gather(*work)
    rows = await watch(server, minutes, began)
    await clients_at_work
    statuses: Counter[str] = sum((minute.statuses for minute in minutes), Counter())
    wrong = {
        status: times for status, times in statuses.items() if not status.isdigit() or int(status) >= 500
    }
    early = rows[min(1, len(rows) - 1)]
    print(f"all: {sum(statuses.values())} requests, {dict(sorted(statuses.items()))}")
    print(f"5xx and broken connections: {wrong or 'none'}")
    for name, before, after in zip(HELD, early, rows[-1], strict=True):
        print(f"{name}: minute 2: {before}, last minute: {after}, change {after - before:+}")
    await asyncio.sleep(60)
    print(f"a minute of rest later: {dict(zip(HELD, held(server), strict=True))}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--storage", type=Path, default=ROOT / "data", help="folder with the weights")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/antiphon.db"
        with running(given.storage, Path(folder) / "log", STORAGE_DATABASE_URL=database) as server:
            asyncio.run(soak(server, given.minutes, given.clients))


if __name__ == "__main__":
    main()
