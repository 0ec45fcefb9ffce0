"""The server's side of the gateway, with fake children that are not processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, cast

import pytest

from app.runtime import crash_history, ray_gateway
from app.runtime.child_process import ChildProcess
from app.runtime.ray_gateway import Gateway
from app.runtime.ray_messages import AppState, StatesOf
from engines.errors import ClusterDown, EngineDied, EngineError, GivenUp
from tests.support.waiting import wait_until


class FakeChild:
    """A fake child that answers each question with the question itself, until it ends."""

    def __init__(self, failure: EngineError | None = None) -> None:
        """`failure`: why it cannot join the cluster."""
        self.opened: Future[None] = Future()
        self.ended = threading.Event()
        self._failure = failure
        self.dropped: list[Future[Any]] = []

    def drop(self, answer: Future[Any]) -> None:
        self.dropped.append(answer)

    def watch(self) -> EngineDied:
        if self._failure:
            self.opened.set_exception(self._failure)
            return EngineDied("its process ended with status 0")
        self.opened.set_result(None)
        self.ended.wait(20)
        return EngineDied("its process ended with status 1")

    def begin(self, question: object) -> Future[Any]:
        answer: Future[Any] = Future()
        if question == "end":
            self.ended.set()
            answer.set_exception(EngineDied("its process ended with status 1"))
            return answer
        if question == "replica":
            answer.set_exception(EngineDied("its replica ended"))
            return answer
        if question == "silence":
            return answer
        if self.ended.is_set():
            raise EngineDied("it has ended")
        answer.set_result({"model": AppState(2, "")} if isinstance(question, StatesOf) else question)
        return answer

    @property
    def alive(self) -> bool:
        return not self.ended.is_set()

    def kill(self, why: EngineDied, *, blame: bool = False) -> None:
        self.ended.set()

    def close(self) -> None:
        self.ended.set()


class Starts:
    """Starts one child for each failure, and after those only children without a failure."""

    def __init__(self, *failures: EngineError) -> None:
        self.failures = list(failures)
        self.children: list[FakeChild] = []

    def __call__(self) -> ChildProcess:
        self.children.append(FakeChild(self.failures.pop(0) if self.failures else None))
        return cast("ChildProcess", self.children[-1])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_gateway, "WATCH_SECONDS", 0.01)


@pytest.fixture
def starts() -> Starts:
    return Starts()


@pytest.fixture
def gateway(starts: Starts) -> Iterator[Gateway]:
    made = Gateway(starts)
    made.enter("model")
    yield made
    made.leave("model")
    assert all(child.ended.is_set() or child._failure for child in starts.children)


def test_it_answers_and_knows_the_models(gateway: Gateway) -> None:
    assert gateway.ask("question", 10) == "question"
    wait_until(lambda: gateway.state("model").replicas == 2)
    assert gateway.state("another").replicas == 0
    assert gateway.problem is None


def test_it_is_started_again_when_it_ends(gateway: Gateway, starts: Starts) -> None:
    gateway.ask("question", 10)
    starts.children[0].ended.set()
    wait_until(lambda: len(starts.children) == 2)
    assert gateway.ask("again", 10) == "again"


def test_one_that_joins_and_ends_without_an_answer_is_started_with_pauses(
    gateway: Gateway, starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_history, "FIRST_PAUSE_SECONDS", 30.0)
    wait_until(lambda: bool(starts.children))
    starts.children[0].ended.set()
    wait_until(lambda: len(starts.children) == 2)
    starts.children[1].ended.set()
    wait_until(lambda: gateway._history.pause(time.monotonic()) > 10)


@pytest.mark.parametrize(("question", "killed"), [("end", True), ("replica", False)])
def test_its_own_end_is_no_fault_of_the_work(gateway: Gateway, question: str, killed: bool) -> None:
    with pytest.raises(EngineDied) as raised:
        gateway.ask(question, 10)
    assert raised.value.killed is killed


def test_what_nobody_needs_is_dropped(gateway: Gateway, starts: Starts) -> None:
    gateway.ask("question", 10)
    with pytest.raises(GivenUp):
        gateway.ask("silence", 10, lambda: False)
    with pytest.raises(EngineError, match="longer than the request may take"):
        gateway.ask("silence", -ray_gateway.GRACE_SECONDS)
    assert len(starts.children[0].dropped) == 2


class TestWithoutCluster:
    """The head of the cluster does not answer three times."""

    @pytest.fixture
    def starts(self, monkeypatch: pytest.MonkeyPatch) -> Starts:
        monkeypatch.setattr(crash_history, "FIRST_PAUSE_SECONDS", 0.3)
        return Starts(*(ClusterDown("its head does not answer", 5.0) for _ in range(3)))

    @pytest.mark.slow
    def test_who_asks_is_refused_until_it_is_back(self, gateway: Gateway, starts: Starts) -> None:
        with pytest.raises(ClusterDown, match="its head does not answer") as raised:
            gateway.ask("question", 10)
        assert raised.value.pause < 5
        assert "its head does not answer" in (gateway.problem or "")
        wait_until(lambda: gateway.problem is None)
        assert gateway.ask("question", 10) == "question"
        assert len(starts.children) == 4


def test_it_runs_while_somebody_has_entered(starts: Starts) -> None:
    gateway = Gateway(starts)
    for _ in range(2):
        gateway.enter("one")
        gateway.enter("two")
        gateway.leave("one")
        assert gateway.ask("question", 10) == "question"
        gateway.leave("two")
        assert starts.children[-1].ended.is_set()
    assert len(starts.children) == 2
