"""One model on two simulated devices."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.runtime.device_group import DeviceGroup
from app.runtime.processes_placement import visible
from engines.types import Window
from engines.work import LengthClasses, LookSize, Ready, Result, Work, always


class Device:
    """A host that counts its calls."""

    calls = 2
    looks: LookSize | None = None
    lengths = LengthClasses()
    device = "cuda"

    def __init__(self, name: str, seen: Counter[str], together: threading.Barrier | None = None) -> None:
        self.name, self.seen, self.together = name, seen, together
        self.problem: str | None = None
        self.closed = False

    def prepare(self, window: Window) -> Window:
        return window

    def do(
        self,
        work: Work[object, Result],
        patience: float,
        *,
        alone: bool = False,
        wanted: Callable[[], bool] = always,
    ) -> Sequence[Result]:
        self.seen[self.name] += 1
        if self.together:
            self.together.wait()
        return work.by(self)  # type: ignore[arg-type]  # `Ready` needs no verb

    def close(self) -> None:
        self.closed = True


def test_calls_that_come_together_are_shared_equally() -> None:
    """Each round of four calls ends only when all four run: two on each device."""
    seen: Counter[str] = Counter()
    together = threading.Barrier(4, timeout=10)
    group = DeviceGroup([Device(name, seen, together) for name in "ab"])
    assert group.calls == 4
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            list(pool.map(lambda _: group.do(Ready(), 1.0), range(4)))
    assert seen == {"a": 10, "b": 10}


def test_calls_one_after_the_other_go_in_turn() -> None:
    seen: Counter[str] = Counter()
    group = DeviceGroup([Device(name, seen) for name in "abc"])
    for _ in range(9):
        group.do(Ready(), 1.0)
    assert seen == {"a": 3, "b": 3, "c": 3}


def test_a_device_that_is_down_gets_nothing_and_is_no_problem_while_another_works() -> None:
    seen: Counter[str] = Counter()
    devices = [Device(name, seen) for name in "ab"]
    group = DeviceGroup(devices)
    devices[0].problem = "gone"
    for _ in range(3):
        group.do(Ready(), 1.0)
    assert (seen, group.problem) == ({"b": 3}, None)
    devices[1].problem = "gone too"
    assert group.problem == "gone"


def test_closing_closes_all() -> None:
    devices = [Device(name, Counter()) for name in "ab"]
    DeviceGroup(devices).close()
    assert all(device.closed for device in devices)


@pytest.mark.parametrize(
    ("device", "inherited", "shown"),
    [(1, None, "1"), (1, "4,7", "7"), (0, "GPU-a, GPU-b", "GPU-a"), (3, "4", "4"), (0, "", "")],
)
def test_a_process_sees_its_own_device_alone(device: int, inherited: str | None, shown: str) -> None:
    assert visible(device, inherited) == shown
