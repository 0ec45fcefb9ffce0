"""One replica of a model in a Ray cluster: a loaded engine, which does the works that the servers send.

Law: runs in a process that Ray starts, on any machine of the cluster; imports engines, and of the app only
what a child process imports. Ray Serve decides where it runs, whether it is well, and how many there are.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

from app.runtime.child_messages import Done, Failure, Loaded
from app.runtime.child_program import LOST_STATUS
from app.runtime.ray_messages import PackedValue, packed, unpacked
from app.runtime.stuck_calls import CallTimes
from app.runtime.threads_placement import ThreadsPlacement
from engines.catalog import EngineFinder
from engines.errors import ClusterDown, DeviceLost
from engines.work import Host, Order, Work

UNLOADED_SECONDS = 60.0
"""A replica whose engine cannot be loaded lives for this long, so that it can report why; then Ray tries
another machine.
"""
RELOAD_SECONDS = 5.0
"""Seconds between two attempts to load the engine, unless a server asks for one."""
log = logging.getLogger("engines")


class Turns:
    """Lets calls run in parallel, and a call with `alone` without any other call. For one event loop."""

    def __init__(self) -> None:
        self._running = self._alone = 0
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def turn(self, *, alone: bool) -> AsyncIterator[None]:
        self._alone += alone
        try:
            while self._running if alone else self._alone:
                woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(woken)
                await woken
        except BaseException:
            self._alone -= alone
            self._wake()
            raise
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._alone -= alone
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for woken in waiting:
            if not woken.done():
                woken.set_result(None)


class Replica:
    """The class that Ray Serve runs. Its methods are coroutines; the engine works on threads.

    A replica whose engine cannot be loaded stays for `UNLOADED_SECONDS` and says why, while it tries again;
    routers prefer replicas that have theirs.
    """

    def __init__(self, order: Order, finder: EngineFinder | None = None, stuck_seconds: float = 60.0) -> None:
        self._order = order
        self._place = ThreadsPlacement(finder)
        self._times = CallTimes(stuck_seconds)
        self._loading = threading.Lock()
        self._host: Host | None = None
        self._pool = ThreadPoolExecutor(1)
        self._failure: Failure | None = None
        self._tried_at = -math.inf
        self._loader: asyncio.Task[None] | None = None
        self._late: dict[int, float] = {}
        """For each running call, the time of the monotonic clock after which it counts as stuck."""
        self._turns = Turns()
        self._began = time.monotonic()
        self._load()

    async def load(self) -> PackedValue:
        """Returns a packed `Loaded` or `Failure`."""
        await asyncio.to_thread(self._load)
        host = self._host
        if host is None:
            return packed(self._failure)
        return packed(Loaded(host.calls, host.looks, host.lengths, host.device))

    async def do(self, work: PackedValue, alone: bool) -> PackedValue:  # noqa: FBT001 - Ray passes it by position
        """Does the work. Returns a packed `Done` or `Failure`. A call that is cancelled is dropped if the
        engine has not begun with it; else the replica stays busy until the engine has finished.
        """
        if self._host is None:
            await asyncio.shield(self._loads_again())
        if self._host is None:
            return packed(self._failure)
        async with self._turns.turn(alone=alone):
            job = self._pool.submit(self._answer, work)
            answer = asyncio.wrap_future(job)
            try:
                return await asyncio.shield(answer)
            except asyncio.CancelledError:
                while not job.cancel() and not answer.done():
                    with suppress(asyncio.CancelledError):  # the turn ends with the engine's work
                        await asyncio.wait([answer])
                raise

    async def check_health(self) -> None:
        """Ray asks this from time to time, and replaces the replica if it raises repeatedly."""
        now = time.monotonic()
        if any(now > late for late in self._late.values()):
            self._end("a call is stuck")
        if self._host is None:
            self._loads_again()
            if now > self._began + UNLOADED_SECONDS:
                raise RuntimeError("the engine cannot be loaded")

    async def record_replica_metadata(self) -> dict[str, bool]:
        """What Ray Serve tells routers from the start."""
        return {"loaded": self._host is not None}

    async def record_routing_stats(self) -> dict[str, bool]:
        """What Ray Serve tells routers from time to time."""
        return {"loaded": self._host is not None}

    def _loads_again(self) -> asyncio.Task[None]:
        """The attempt to load the engine that runs, or the next one."""
        if self._loader is None or self._loader.done():
            self._loader = asyncio.create_task(self._load_later())
        return self._loader

    async def _load_later(self) -> None:
        await asyncio.sleep(self._tried_at + RELOAD_SECONDS - time.monotonic())
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        with self._loading:
            if self._host is None:
                try:
                    host = self._place.open(self._order)
                except BaseException as error:  # noqa: BLE001 - an engine may raise anything
                    self._failure = Failure.of(error)
                else:
                    self._pool = ThreadPoolExecutor(host.calls)
                    self._host = host
                self._tried_at = time.monotonic()

    def _answer(self, data: PackedValue) -> PackedValue:
        host = self._host
        assert host
        try:
            work: Work[object, object] = unpacked(data)
        except Exception:
            log.exception("a server sent work that this replica cannot read")
            return _packed_failure(ClusterDown("a replica is of another version of Antiphon", RELOAD_SECONDS))
        began, call = time.monotonic(), id(work)
        self._late[call] = began + self._times.limit(work, math.inf)
        try:
            value = list(host.do(work, float("inf")))
        except DeviceLost as error:
            self._end(str(error.__cause__))  # only another process can use the GPU
        except BaseException as error:  # noqa: BLE001 - an engine may raise anything
            return _packed_failure(error)
        finally:
            del self._late[call]
        took = time.monotonic() - began
        self._times.took(work, took)
        try:
            return packed(Done(value, took))
        except Exception as error:  # noqa: BLE001 - an engine may give anything
            return _packed_failure(error)

    def _end(self, why: str) -> NoReturn:
        """Ends this process, so that its calls fail as after a crash; Ray starts another one."""
        sys.stderr.write(f"{why}\n")
        sys.stderr.flush()
        os._exit(LOST_STATUS)


def _packed_failure(error: BaseException) -> PackedValue:
    return packed(Failure.of(error))
