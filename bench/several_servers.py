"""Two whole servers behind nginx, and one server with two replicas in a Ray cluster: requests a second beside
one of each, with an engine that sleeps, and what fails when one of the two is killed.

    .venv/bin/python -m bench.several_servers [--requests 40]

Needs nginx and the extra `ray`. Everything is on this machine, so the figures are ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.support.fake_server import serving
from tests.support.nginx import Front
from tests.support.ray_cluster import RayCluster, replica_processes
from tests.support.server import KEY
from tests.support.sound import tone, wav

SLEEP_SECONDS = 0.2
CLIENTS = 16
SOUND = wav(tone(1))
SETTINGS = {"RUNTIME_BATCH_ROWS": "1", "LIMITS_REQUESTS": "1000"}


@dataclass(frozen=True)
class Arrangement:
    """One way to run the engine once or twice."""

    name: str
    url: str
    trust: ssl.SSLContext | bool
    kill: Callable[[], None] | None = None
    """Kills one of two servers or replicas."""

    async def answers(self, count: int, *, killing: bool = False) -> list[int]:
        """The status of each request; 0: no answer."""
        headers = {"Authorization": f"Bearer {KEY}"}
        turns, done = asyncio.Semaphore(CLIENTS), list[int]()

        async def request(client: httpx2.AsyncClient) -> None:
            fields = {"model": "whisper-1", "prompt": f"sleep:{SLEEP_SECONDS}"}
            async with turns:
                try:
                    answer = await client.post(
                        "/audio/transcriptions", data=fields, files={"file": ("a.wav", SOUND)}
                    )
                    done.append(answer.status_code)
                except httpx2.HTTPError:
                    done.append(0)
            if killing and self.kill and len(done) == count // 3:
                self.kill()

        async with httpx2.AsyncClient(
            base_url=self.url, headers=headers, verify=self.trust, timeout=120
        ) as client:
            await asyncio.gather(*(request(client) for _ in range(count)))
        return done

    async def pace(self, count: int) -> float:
        began = time.perf_counter()
        answers = await self.answers(count)
        assert set(answers) == {200}, answers
        return count / (time.perf_counter() - began)


@contextmanager
def plain(folder: Path, count: int) -> Iterator[Arrangement]:
    """So many whole servers behind nginx."""
    folder.mkdir()
    front = Front(folder)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serving(folder / f"{number}", seconds=0.0, engines="scripted", **SETTINGS))
            for number in range(count)
        ]
        ports = [int(server.root.rpartition(":")[2]) for server in servers]
        stack.enter_context(front.running(ports))
        yield Arrangement(
            f"nginx and {count} servers", f"{front.url}/v1", front.trust, servers[0].process.kill
        )


@contextmanager
def clustered(folder: Path, cluster: RayCluster, count: int) -> Iterator[Arrangement]:
    """One server with so many replicas."""
    prefix = f"b{count}-"
    settings = SETTINGS | {
        "RUNTIME_PLACEMENT": "ray",
        "RAY_ADDRESS": cluster.rules.address,
        "RAY_PREFIX": prefix,
        "RAY_CPUS": "0.1",
        "RAY_REPLICAS": str(count),
        "RAY_MOST_REPLICAS": str(count),
        "LIMITS_REQUEST_SECONDS": "120",
    }
    os.environ["RAY_AUTH_TOKEN"] = cluster.token

    def kill() -> None:
        os.kill(replica_processes(prefix)[0], signal.SIGKILL)

    with serving(folder, seconds=0.0, engines="scripted", **settings) as server:
        yield Arrangement(f"a server and {count} replicas", server.url, True, kill)


async def ready(side: Arrangement, server_count: int) -> None:
    """Loads the model everywhere."""
    await side.answers(4 * server_count)
    await asyncio.sleep(5)  # a server asks every second how many replicas run
    await side.answers(4 * server_count)


async def compare(one: Arrangement, two: Arrangement, count: int) -> None:
    """Prints how much quicker the second arrangement is, and what a death in it costs."""
    paces: tuple[list[float], list[float]] = ([], [])
    for number, side in enumerate((one, two), 1):
        await ready(side, number)
    for _ in range(2):
        for number, side in enumerate((one, two), 1):
            paces[number - 1].append(await side.pace(number * count))
    first, second = map(max, paces)
    print(f"{one.name}: {first:.2f} requests a second; {two.name}: {second:.2f}, {second / first:.2f} times")
    answers = await two.answers(100, killing=True)
    failed = sorted(status for status in answers if status != 200)
    print(f"{two.name}, one killed in the middle of 100 requests: {len(failed)} failed {failed}")


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        cluster = stack.enter_context(RayCluster(folder, nodes=2))
        pairs = [
            [stack.enter_context(plain(folder / f"plain{number}", number)) for number in (1, 2)],
            [stack.enter_context(clustered(folder / f"ray{number}", cluster, number)) for number in (1, 2)],
        ]
        for one, two in pairs:
            await compare(one, two, count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=40)
    asyncio.run(main(parser.parse_args().requests))
