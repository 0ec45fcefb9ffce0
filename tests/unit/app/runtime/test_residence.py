"""The memory that models share: a budget, and whoever was used longest ago leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from app.errors import ModelUnavailable
from app.runtime.cancel import Cancel
from app.runtime.jobs import Recipe
from app.runtime.lane import Lane
from app.runtime.residence import Residence


class Model:
    """An engine that counts its lives."""

    alive = 0
    most = 0

    def __init__(self) -> None:
        Model.alive += 1
        Model.most = max(Model.most, Model.alive)

    def close(self) -> None:
        Model.alive -= 1


ModelLane = Lane[Model, threading.Event, bool]
RECIPE: Recipe[Model, threading.Event, bool] = Recipe(
    Model, lambda _, gates: [gate.wait(10) for gate in gates], size=10
)


@pytest.fixture
def house() -> Iterator[list[ModelLane]]:
    """Four models of 10 bytes each, and room for two."""
    Model.alive = Model.most = 0
    residence = Residence(20)
    lanes = [Lane(name, RECIPE, residence=residence) for name in "abcd"]
    yield lanes
    for lane in lanes:
        lane.close()
    assert Model.alive == 0


def use(lane: ModelLane, *, done: bool = True, cancel: Cancel | None = None) -> threading.Event:
    """One job; `done`: it ends at once."""
    gate = threading.Event()
    future = lane.submit(gate, key=None, seconds=1, request=1, cancel=cancel or Cancel())
    if done:
        gate.set()
        assert future.result(10)
    return gate


def states(lanes: list[ModelLane]) -> str:
    return " ".join(lane.state for lane in lanes)


def test_whoever_was_used_longest_ago_leaves(house: list[ModelLane]) -> None:
    a, b, c, _ = house
    use(a)
    use(b)
    use(a)
    use(c)
    assert states(house) == "loaded idle loaded idle"
    use(b)
    assert states(house) == "idle loaded loaded idle"
    assert Model.most == 2


def test_nobody_is_thrown_out_at_work(house: list[ModelLane]) -> None:
    a, b, c, _ = house
    gates = [use(lane, done=False) for lane in (a, b)]
    while states(house) != "loaded loaded idle idle":
        time.sleep(0.01)
    waiting = use(c, done=False)
    time.sleep(0.2)
    assert states(house) == "loaded loaded loading idle"
    assert Model.most == 2
    gates[0].set()
    waiting.set()
    while c.state != "loaded":
        time.sleep(0.01)
    assert states(house) == "idle loaded loaded idle"
    gates[1].set()


def test_nobody_waits_for_a_client_that_has_left(house: list[ModelLane]) -> None:
    a, b, c, _ = house
    gates = [use(lane, done=False) for lane in (a, b)]
    while states(house) != "loaded loaded idle idle":
        time.sleep(0.01)
    cancel = Cancel()
    future = c.submit(threading.Event(), key=None, seconds=1, request=2, cancel=cancel)
    time.sleep(0.1)
    cancel.set()
    assert isinstance(future.exception(10), ModelUnavailable)
    for gate in gates:
        gate.set()


def test_many_models_at_once_stay_within_the_budget(house: list[ModelLane]) -> None:
    def several(lane: ModelLane) -> None:
        for _ in range(20):
            use(lane)

    threads = [threading.Thread(target=several, args=(lane,)) for lane in house * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert Model.most <= 2


def test_a_model_larger_than_the_budget_is_loaded_alone(caplog: pytest.LogCaptureFixture) -> None:
    Model.alive = Model.most = 0
    residence = Residence(5)
    recipe: Recipe[Model, threading.Event, bool] = Recipe(
        Model, lambda _, gates: [True for _ in gates], size=10
    )
    lanes = [Lane(name, recipe, residence=residence) for name in "ab"]
    for lane in lanes:
        use(lane)
    assert states(lanes) == "idle loaded"
    assert "models.memory_bytes" in caplog.text
    for lane in lanes:
        lane.close()
