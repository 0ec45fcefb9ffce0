"""What the placement `ray` costs against `threads`, on a cluster on this machine, with engines that do
nothing or sleep; how two servers share a replica; and what a killed replica and a killed head cost.

    .venv/bin/python -m bench.ray_cluster [--windows 200] [--weights data/weights/whisper-base]

Needs the extra `ray`. The cluster is two nodes on loopback addresses, so its figures are of one machine. The
servers are on the head and all replicas on the other node, as where a machine has the GPUs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from app.errors import ApiError, from_engine
from app.runtime.threads_placement import ThreadsPlacement
from bench.placements import WORK_SECONDS, Side, quantiles, times
from engines.catalog import EngineFinder
from engines.errors import EngineError
from engines.types import EngineOptions, Pcm, TranscribeOptions, Window
from engines.work import Order, Place, Transcribe
from tests.conftest import JFK
from tests.support.ray_cluster import RayCluster
from tests.support.scripted_engines import FINDER
from tests.support.sound import decode

SLEEP_SECONDS = 0.2
SHARED_SECONDS = 10
LONGER_SECONDS = 0.3
"""About as long as Whisper base takes for a window on one core."""
HEAD_SECONDS = "5"
"""Seconds for which Ray's processes wait for a lost head; its default is 60."""


async def added(sides: dict[str, Side], count: int) -> None:
    """Measures the time of one window, alternating between the sides, so that other programs disturb both
    alike.
    """
    permits = {name: side.runner.admit() for name, side in sides.items()}
    for what in ("window", "utterance"):
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for name, side in sides.items():
            await getattr(side, what)(permits[name])
        for _ in range(10):
            for name, side in sides.items():
                taken[name] += await times(partial(getattr(side, what), permits[name]), count // 10)
        (a50, a95), (b50, b95) = (quantiles(taken[name]) for name in sides)
        print(f"{what}: threads {a50:.2f} / {a95:.2f} ms, ray {b50:.2f} / {b95:.2f} ms (p50 / p95)")
        print(f"{what}: added {b50 - a50:.2f} / {b95 - a95:.2f} ms")
    for seconds, windows in ((WORK_SECONDS, count), (LONGER_SECONDS, 24)):
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(3):
            for name, side in sides.items():
                rates[name].append(await side.throughput(windows, seconds))
        a, b = (statistics.median(rates[name]) for name in sides)
        print(f"throughput with {1000 * seconds:g} ms a window: {a:.1f} and {b:.1f} a second, {b / a:.3f}")


def real(cluster: RayCluster, weights: Path) -> None:
    """Whisper on batches of four windows, on one thread each, in turns."""
    options = EngineOptions(device="cpu", threads=1, workers=1)
    order = Order("transcription", "faster-whisper", weights, options, "real")
    os.environ["OMP_NUM_THREADS"] = "1"  # as in a replica with one core
    window = Window(Pcm(decode(JFK.read_bytes())))
    work = Transcribe((window,) * 4, TranscribeOptions())
    hosts = [place.open(order) for place in (ThreadsPlacement(), cluster.with_replicas(1, EngineFinder()))]
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(6):
        for host, times_ in zip(hosts, taken, strict=True):
            began = time.perf_counter()
            host.do(work, 300.0)
            times_.append(time.perf_counter() - began)
    a, b = (statistics.median(times_[1:]) for times_ in taken)
    print(f"{weights.name}, four windows of 11 s: threads {a:.2f} s, ray {b:.2f} s, {a / b:.3f} of the pace")
    for host in hosts:
        host.close()


async def pace(side: Side, count: int) -> float:
    """Windows a second, each a sleep of its own batch."""
    permits = [side.runner.admit() for _ in range(count)]
    began = time.perf_counter()
    await asyncio.gather(*(side.window(permit, f"sleep:{SLEEP_SECONDS}") for permit in permits))
    return count / (time.perf_counter() - began)


async def shared(sides: Sequence[Side]) -> None:
    """Two servers that always have work ask one replica."""
    until = time.perf_counter() + SHARED_SECONDS

    async def answers(side: Side) -> int:
        count = 0
        with side.runner.admit() as permit:
            while time.perf_counter() < until:
                await side.window(permit, f"sleep:{SLEEP_SECONDS}")
                count += 1
        return count

    counts = await asyncio.gather(*map(answers, sides))
    least = min(counts) / sum(counts)
    used = sum(counts) * SLEEP_SECONDS / SHARED_SECONDS
    print(f"two servers, one replica, {SHARED_SECONDS} s: {counts} answers, the fewer are {least:.2f} of all")
    print(f"the replica worked {used:.2f} of the time")


async def replicas(cluster: RayCluster, folder: Path, count: int) -> Side:
    """A side whose models have so many replicas, all of which run."""
    side = Side(cluster.with_replicas(count), folder, rows=1, suffix=f"-{count}")
    await side.window(side.runner.admit())
    host = side.runner._lanes[name_of(side)].life.host
    while not host or host.calls < count:
        await asyncio.sleep(0.1)
    return side


def name_of(side: Side) -> str:
    return side.model("transcription").id


async def killed(side: Side, cluster: RayCluster) -> None:
    """Kills one of two replicas in the middle of 100 requests."""
    permits = [side.runner.admit() for _ in range(100)]
    tasks = [asyncio.create_task(side.window(permit, "sleep:0.05")) for permit in permits]
    while sum(task.done() for task in tasks) < 30:
        await asyncio.sleep(0.01)
    os.kill(cluster.replicas(name_of(side))[0], signal.SIGKILL)
    began = time.perf_counter()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    lost = sum(isinstance(result, BaseException) for result in results)
    print(f"one of two replicas killed in the middle of 100 requests: {lost} failed")
    while len(cluster.replicas(name_of(side))) < 2:
        await asyncio.sleep(0.05)
    print(f"its successor runs after {time.perf_counter() - began:.1f} s")


async def headless(side: Side, cluster: RayCluster) -> None:
    """Kills all nodes, and starts new ones."""
    cluster.stop()
    began = time.perf_counter()
    answers: dict[int, int] = {}
    refused_after = 0.0
    while time.perf_counter() - began < 20:
        asked = time.perf_counter()
        answer = await asked_once(side)
        answers[answer] = answers.get(answer, 0) + 1
        if answer == 503 and not refused_after:
            refused_after = asked - began
        await asyncio.sleep(0.5)
    print(f"without a head: answers by their status {answers}, refused from {refused_after:.1f} s on")
    await asyncio.to_thread(cluster.start)
    began = time.perf_counter()
    while await asked_once(side) != 200:
        await asyncio.sleep(0.5)
    print(f"a new head: the first answer {time.perf_counter() - began:.1f} s after it is up")


async def asked_once(side: Side) -> int:
    """The status that a client would get."""
    with side.runner.admit() as permit:
        try:
            await side.window(permit)
        except EngineError as failure:
            return from_engine(failure).status
        except ApiError as failure:
            return failure.status
    return 200


async def main(count: int, weights: Path | None) -> None:
    os.environ["RAY_gcs_rpc_server_reconnect_timeout_s"] = HEAD_SECONDS  # noqa: SIM112 - Ray's own spelling
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places: dict[str, Place] = {}
        with RayCluster(folder, nodes=2, head_cpus=0) as cluster:
            places = {"threads": ThreadsPlacement(FINDER), "ray": cluster.place}
            sides = {kind: Side(place, folder) for kind, place in places.items()}
            await added(sides, count)
            if weights:
                await asyncio.to_thread(real, cluster, weights)
            more = [await replicas(cluster, folder, number) for number in (1, 2, 4)]
            one, *paces = [
                await pace(side, 40 * number) for side, number in zip(more, (1, 2, 4), strict=True)
            ]
            for number, rate in zip((2, 4), paces, strict=True):
                print(
                    f"{number} replicas, {1000 * SLEEP_SECONDS:g} ms a window: {rate / one:.2f} of one's pace"
                )
            other = Side(cluster.another_server(1), folder, rows=1, suffix="-1")
            await other.window(other.runner.admit())
            await shared((more[0], other))
            await killed(more[1], cluster)
            await headless(sides["ray"], cluster)
            for side in (*sides.values(), *more, other):
                await asyncio.to_thread(side.runner.close)
                side.threads.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--weights", type=Path, help="folder of Whisper's weights")
    given = parser.parse_args()
    asyncio.run(main(given.windows, given.weights))
