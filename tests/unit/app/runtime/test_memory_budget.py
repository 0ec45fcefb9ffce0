"""The memory that models share: it has a budget, and the least recently used model is unloaded first."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from app.errors import ModelUnavailable
from app.runtime.admission import Permit
from app.runtime.batching import BatchLimits
from app.runtime.lane import Lane
from app.runtime.memory_budget import MemoryBudget
from app.runtime.threads_placement import TranscriberHost
from engines.types import TranscribeOptions, Window, WindowResult
from tests.support.fake_engines import EchoTranscriber
from tests.support.lanes import permits, submit, window
from tests.support.waiting import wait_until

admit = permits()


class Model(EchoTranscriber):
    """An engine that counts how many are loaded. Its windows wait for the event that their prompt names."""

    alive = 0
    most = 0
    gates: ClassVar[dict[str, threading.Event]] = {}

    def __init__(self) -> None:
        super().__init__()
        Model.alive += 1
        Model.most = max(Model.most, Model.alive)

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        for item in windows:
            Model.gates[item.prompt].wait(10)
        return super().transcribe(windows, options)

    def close(self) -> None:
        Model.alive -= 1


def lane(name: str, memory_budget: MemoryBudget) -> Lane:
    return Lane(
        name,
        lambda: TranscriberHost(Model()),
        limits=BatchLimits(rows=1),
        size=10,
        memory_budget=memory_budget,
    )


@pytest.fixture
def four() -> Iterator[list[Lane]]:
    """Four models of 10 bytes each, and memory for two."""
    Model.alive = Model.most = 0
    memory_budget = MemoryBudget(20)
    lanes = [lane(name, memory_budget) for name in "abcd"]
    yield lanes
    for one in lanes:
        one.close()
    assert Model.alive == 0


def use(lane: Lane, *, done: bool = True, permit: Permit | None = None) -> threading.Event:
    """Gives a model one job. `done`: the job ends at once; otherwise it waits for its gate."""
    gate = threading.Event()
    permit = permit or admit()
    Model.gates[str(permit.number)] = gate
    if done:
        gate.set()
    future = submit(lane, replace(window(), prompt=str(permit.number)), permit)
    if done:
        assert future.result(10)
        wait_until(lambda: not lane.running)
    return gate


def states(lanes: list[Lane]) -> str:
    return " ".join(lane.life.state for lane in lanes)


def test_whoever_was_used_longest_ago_leaves(four: list[Lane]) -> None:
    a, b, c, _ = four
    use(a)
    use(b)
    use(a)
    use(c)
    assert states(four) == "loaded idle loaded idle"
    use(b)
    assert states(four) == "idle loaded loaded idle"
    assert Model.most == 2


def test_nobody_is_thrown_out_at_work(four: list[Lane]) -> None:
    a, b, c, _ = four
    gates = [use(lane, done=False) for lane in (a, b)]
    wait_until(lambda: states(four) == "loaded loaded idle idle")
    waiting = use(c, done=False)
    wait_until(lambda: states(four) == "loaded loaded loading idle")
    assert Model.most == 2
    gates[0].set()
    waiting.set()
    wait_until(lambda: c.life.state == "loaded")
    assert states(four) == "idle loaded loaded idle"
    gates[1].set()


@pytest.mark.slow
def test_nobody_waits_for_a_client_that_has_left(four: list[Lane]) -> None:
    a, b, c, _ = four
    gates = [use(lane, done=False) for lane in (a, b)]
    wait_until(lambda: states(four) == "loaded loaded idle idle")
    gone = admit()
    future = submit(c, window(), gone)
    wait_until(lambda: c.life.state == "loading")
    gone.close()
    assert isinstance(future.exception(10), ModelUnavailable)
    for gate in gates:
        gate.set()


def test_many_models_at_once_stay_within_the_budget(four: list[Lane]) -> None:
    def several(lane: Lane) -> None:
        for _ in range(20):
            use(lane)

    threads = [threading.Thread(target=several, args=(lane,)) for lane in four * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert Model.most <= 2


def test_a_model_larger_than_the_budget_is_loaded_alone(caplog: pytest.LogCaptureFixture) -> None:
    Model.alive = Model.most = 0
    memory_budget = MemoryBudget(5)
    lanes = [lane(name, memory_budget) for name in "ab"]
    for one in lanes:
        use(one)
    assert states(lanes) == "idle loaded"
    assert "models.memory_bytes" in caplog.text
    for one in lanes:
        one.close()
