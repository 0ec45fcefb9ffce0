"""One model on several devices, with a host for each.

Law: chooses the host for each call; the hosts know nothing of each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from engines.types import Window
from engines.work import Host, Result, Work, always


class DeviceGroup:
    """One model on several devices: it passes each call to the host of one device."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        """`hosts`: one for each device, at least one."""
        self._hosts = hosts
        self._lock = threading.Lock()
        self._running = [0] * len(hosts)
        self._given = [0] * len(hosts)
        self.calls = sum(host.calls for host in hosts)
        self.looks = hosts[0].looks
        self.lengths = hosts[0].lengths
        self.device = hosts[0].device

    @property
    def problem(self) -> str | None:
        """The first problem of a device if none of them can answer; None if at least one can."""
        problems = [host.problem for host in self._hosts]
        return None if None in problems else problems[0]

    def prepare(self, window: Window) -> Window:
        """Prepares a window on the device that will probably transcribe it. If another device does, it
        prepares the window again.
        """
        with self._lock:
            index = self._idlest()
        return self._hosts[index].prepare(window)

    def do(
        self,
        work: Work[object, Result],
        patience: float,
        *,
        alone: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> Sequence[Result]:
        with self._turn() as host:
            return host.do(work, patience, alone=alone, wanted=wanted)

    def close(self) -> None:
        for host in self._hosts:
            host.close()

    @contextmanager
    def _turn(self) -> Iterator[Host]:
        with self._lock:
            index = self._idlest()
            self._running[index] += 1
            self._given[index] += 1
        try:
            yield self._hosts[index]
        finally:
            with self._lock:
                self._running[index] -= 1

    def _idlest(self) -> int:
        """The host with the least work among those that can answer; of several, the one with the fewest calls
        so far.
        """

        def load(index: int) -> tuple[bool, float, int]:
            host = self._hosts[index]
            return host.problem is not None, self._running[index] / host.calls, self._given[index]

        return min(range(len(self._hosts)), key=load)
