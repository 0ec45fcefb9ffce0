"""One replica of a model in a Ray cluster: a loaded engine, which does the works that the servers send.

Law: runs in a process that Ray starts, on any machine of the cluster; imports engines, and of the app only
what a child process imports. Ray Serve decides where it runs, whether it is well, and how many there are.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from app.runtime.call_times import CallTimes
from app.runtime.child_program import LOST_STATUS
from app.runtime.child_values import Done, Failure, Loaded
from app.runtime.ray_values import PackedArray, packed, unpacked
from app.runtime.threads_placement import ThreadsPlacement
from engines.catalog import EngineFinder
from engines.errors import DeviceLost
from engines.work import Host, Order, Work

UNLOADED_SECONDS = 60.0
"""A replica whose engine cannot be loaded lives for this long, so that it can report why; then Ray tries
another machine.
"""


class Turns:
    """Lets calls run in parallel, and a call with `alone` without any other call. For one event loop."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._running = self._alone = 0

    @asynccontextmanager
    async def turn(self, *, alone: bool) -> AsyncIterator[None]:
        async with self._changed:
            self._alone += alone
            try:
                await self._changed.wait_for(lambda: not (self._running if alone else self._alone))
            except BaseException:
                self._alone -= alone
                self._changed.notify_all()
                raise
            self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._alone -= alone
            await asyncio.shield(self._tell())  # also if this call is cancelled once more

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class Replica:
    """The class that Ray Serve runs. Its methods are coroutines; the engine works on threads."""

    def __init__(self, order: Order, finder: EngineFinder | None = None, stuck_seconds: float = 60.0) -> None:
        """Loads the engine. If that fails, the next `load` tries again, and Ray replaces the replica."""
        self._order = order
        self._place = ThreadsPlacement(finder)
        self._times = CallTimes(stuck_seconds)
        self._loading = threading.Lock()
        self._host: Host | None = None
        self._failure: Failure | None = None
        self._late: dict[int, float] = {}
        """For each running call, the time of the monotonic clock after which it counts as stuck."""
        self._turns = Turns()
        self._began = time.monotonic()
        self._load()
        self._pool = ThreadPoolExecutor(self._host.calls if self._host else 1)

    async def load(self) -> PackedArray:
        """Returns a packed `Loaded` or `Failure`."""
        await asyncio.to_thread(self._load)
        host = self._host
        if host is None:
            return packed(self._failure)
        return packed(Loaded(host.calls, host.looks, host.lengths, host.device))

    async def do(self, work: PackedArray, alone: bool) -> PackedArray:  # noqa: FBT001 - Ray passes it by position
        """Does the work. Returns a packed `Done` or `Failure`. A call that is cancelled is dropped if the
        engine has not begun with it; else the replica stays busy until the engine has finished.
        """
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
        if self._host is None and now > self._began + UNLOADED_SECONDS:
            raise RuntimeError("the engine cannot be loaded")
        if any(now > late for late in self._late.values()):
            raise RuntimeError("a call is stuck")

    def _load(self) -> None:
        with self._loading:
            if self._host is None:
                try:
                    self._host = self._place.open(self._order)
                except BaseException as error:  # noqa: BLE001 - an engine may raise anything
                    self._failure = Failure.of(error)

    def _answer(self, data: PackedArray) -> PackedArray:
        host = self._host
        if host is None:
            return packed(self._failure)
        work: Work[object, object] = unpacked(data)
        began, call = time.monotonic(), id(work)
        self._late[call] = began + self._times.limit(work, math.inf)
        try:
            value = list(host.do(work, float("inf")))
        except DeviceLost as error:
            sys.stderr.write(f"{error.__cause__}\n")
            sys.stderr.flush()
            os._exit(LOST_STATUS)  # only another process can use the GPU
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


def _packed_failure(error: BaseException) -> PackedArray:
    return packed(Failure.of(error))
