"""The placement `processes`: each loaded engine is a child process, whose crash does not end the server.

Law: decides which processes a model gets: one for each of its devices. `process_host.py` keeps each of them
running.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

from app.runtime.device_group import DeviceGroup
from app.runtime.engine_process import Child
from app.runtime.engine_record import EngineRecord
from app.runtime.meters import ChildMeter, Meters
from app.runtime.process_host import ProcessHost, ProcessRules
from app.runtime.stuck_calls import CallTimes
from app.runtime.threads_placement import ThreadsPlacement
from engines.catalog import EngineFinder
from engines.errors import EngineDown, GivenUp
from engines.work import Host, Kind, Order

CPU, CUDA = "cpu", "cuda"
VISIBLE, NUMBERING = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


class ProcessesPlacement:
    """Loads engines in processes of their own."""

    def __init__(
        self,
        finder: EngineFinder | None = None,
        rules: ProcessRules | None = None,
        meters: Meters | None = None,
    ) -> None:
        """`finder`: finds the engine in the child process, so it must be picklable."""
        self._finder = finder or EngineFinder()
        self._here = ThreadsPlacement(self._finder)
        self._rules = rules or ProcessRules()
        self._meters = meters or Meters()
        self._records: dict[Order, EngineRecord] = {}
        self._lock = threading.Lock()
        self._hosts: list[ProcessHost] = []
        """All hosts that may have a process, including those that are still loading."""
        self._stopping = False

    def check(self, kind: Kind, engine: str) -> None:
        self._here.check(kind, engine)

    def open(self, order: Order) -> Host:
        """Starts one process for each device. If the first process reports that there is no GPU, it stays the
        only one.
        """
        devices = order.options.devices
        first = self._host(order, devices[0])
        if len(devices) == 1 or first.device == CPU:
            return first
        hosts = [first]
        try:
            hosts += [self._host(order, device) for device in devices[1:]]
        except BaseException:
            for host in hosts:
                host.close()
            raise
        return DeviceGroup(hosts)

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            hosts = self._hosts
        for host in hosts:
            host.stop()

    def _host(self, order: Order, device: int) -> ProcessHost:
        """The engine on one device. Its process sees only this device, which therefore has number 0 there."""
        options = order.options
        order = replace(order, options=replace(options, devices=(0,)))
        record = self._record(replace(order, options=replace(options, devices=(device,))))
        pause = record.history.pause(time.monotonic())
        if pause and record.history.looping:
            raise EngineDown(record.history.reason, pause)
        name = order.name or order.folder.name
        variables = {} if options.device == CPU else _one_gpu(device)

        def start() -> Child:
            return Child(name, self._finder, order, variables, kept_seconds=self._rules.kept_seconds)

        def meter(kind: str) -> ChildMeter:
            return self._meters.child(name, f"{kind}:{device}" if kind == CUDA else kind)

        host = ProcessHost(name, start, record, self._rules, meter)
        self._add(host)
        host.load()
        return host

    def _record(self, order: Order) -> EngineRecord:
        with self._lock:
            return self._records.setdefault(order, EngineRecord(CallTimes(self._rules.stuck_seconds)))

    def _add(self, host: ProcessHost) -> None:
        """Adds a host. Raises `GivenUp` if the server is stopping."""
        with self._lock:
            if self._stopping:
                raise GivenUp
            self._hosts = [other for other in self._hosts if not other.stopping]
            self._hosts.append(host)


def _one_gpu(device: int) -> dict[str, str]:
    """The environment variables that make CUDA see only this GPU, numbered in the order of the PCI bus."""
    seen = visible(device, os.environ.get(VISIBLE))
    return {VISIBLE: seen, NUMBERING: os.environ.get(NUMBERING, "PCI_BUS_ID")}


def visible(device: int, inherited: str | None) -> str:
    """The value of `CUDA_VISIBLE_DEVICES` for one device. `device`: an index among the devices of the
    inherited value.
    """
    if inherited is None:
        return str(device)
    names = [name.strip() for name in inherited.split(",") if name.strip()]
    return names[device] if device < len(names) else inherited
