"""The lane: batches, fairness, cancellation, failure, closing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace

import numpy as np
import pytest

from app.errors import RequestTimedOut, ShuttingDown
from app.runtime.batching import BatchLimits
from app.runtime.cancel import Cancel
from app.runtime.jobs import Recipe
from app.runtime.lane import Lane
from app.runtime.meters import Meters
from engines.errors import EngineError
from engines.types import (
    LanguageGuess,
    Pcm,
    Timings,
    TranscribeOptions,
    Window,
    WindowCost,
    WindowResult,
)
from tests.support.engines import EchoTranscriber
from tests.support.waiting import wait_until

OPTIONS = TranscribeOptions()
EchoLane = Lane[EchoTranscriber, tuple[Window, TranscribeOptions], WindowResult]


def window(seconds: float = 1.0) -> Window:
    return Window(Pcm(np.zeros(int(16_000 * seconds), np.float32)))


def echo(engine: EchoTranscriber, jobs: Sequence[tuple[Window, TranscribeOptions]]) -> list[WindowResult]:
    return engine.transcribe([window for window, _ in jobs], jobs[0][1])


def submit(
    lane: EchoLane, window: Window, options: TranscribeOptions, request: object, cancel: Cancel
) -> Future[tuple[WindowResult, Timings]]:
    seconds = window.pcm.seconds
    return lane.submit((window, options), key=options, seconds=seconds, request=request, cancel=cancel)


@pytest.fixture
def engine() -> EchoTranscriber:
    return EchoTranscriber()


@pytest.fixture
def lane(engine: EchoTranscriber) -> Iterator[EchoLane]:
    made = Lane("test", Recipe(lambda: engine, echo, BatchLimits(4)))
    yield made
    engine.gate.set()
    made.close()


def hold(lane: EchoLane, engine: EchoTranscriber) -> None:
    """Keeps the lane busy with one batch until the gate is opened."""
    engine.gate.clear()
    submit(lane, window(), OPTIONS, "holder", Cancel())
    wait_until(lambda: engine.batches)


def test_windows_of_several_requests_ride_together(lane: EchoLane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    futures = [submit(lane, window(), OPTIONS, request, Cancel()) for request in "aaab"]
    engine.gate.set()
    results = [future.result(10) for future in futures]
    assert [len(batch) for batch in engine.batches] == [1, 4]
    assert all(timings.queued > 0 for _, timings in results)


def test_other_options_make_another_batch(lane: EchoLane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    futures = [submit(lane, window(), TranscribeOptions(beam_size=n), n, Cancel()) for n in (1, 2)]
    engine.gate.set()
    wait(futures, 10)
    assert [len(batch) for batch in engine.batches] == [1, 1, 1]


def test_a_cancelled_request_costs_nothing(lane: EchoLane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    cancel = Cancel()
    dropped = [submit(lane, window(), OPTIONS, "gone", cancel) for _ in range(20)]
    kept = submit(lane, window(2), OPTIONS, "here", Cancel())
    cancel.set()
    engine.gate.set()
    assert kept.result(10)[0].segments[0].end == 2
    assert sum(len(batch) for batch in engine.batches) == 2
    assert all(isinstance(future.exception(10), RequestTimedOut) for future in dropped)
    assert lane.waiting == 0


def test_a_future_that_nobody_wants_is_dropped(lane: EchoLane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    unwanted = submit(lane, window(), OPTIONS, "a", Cancel())
    assert unwanted.cancel()
    engine.gate.set()
    assert submit(lane, window(), OPTIONS, "b", Cancel()).result(10)
    assert sum(len(batch) for batch in engine.batches) == 2


def test_a_deadline_ends_the_wait(lane: EchoLane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    late = submit(lane, window(), OPTIONS, "a", Cancel(seconds=-1))
    engine.gate.set()
    with pytest.raises(RequestTimedOut):
        late.result(10)


def test_a_failing_batch_fails_its_own_requests_only(lane: EchoLane, engine: EchoTranscriber) -> None:
    engine.failure = EngineError("no")
    with pytest.raises(EngineError):
        submit(lane, window(), OPTIONS, "a", Cancel()).result(10)
    engine.failure = None
    assert submit(lane, window(), OPTIONS, "b", Cancel()).result(10)


def test_one_bad_row_does_not_fail_its_neighbours(lane: EchoLane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    futures = [submit(lane, window(), OPTIONS, n, Cancel()) for n in range(3)]
    bad = submit(lane, replace(window(), prompt="bad"), OPTIONS, 3, Cancel())
    engine.bad_prompt = "bad"
    engine.gate.set()
    assert all(future.result(10) for future in futures)
    with pytest.raises(EngineError):
        bad.result(10)


def test_an_idle_engine_is_unloaded_and_loaded_again(engine: EchoTranscriber) -> None:
    loads: list[int] = []

    def load() -> EchoTranscriber:
        loads.append(1)
        return engine

    lane = Lane("test", Recipe(load, echo), idle=0.05)
    assert submit(lane, window(), OPTIONS, "a", Cancel()).result(10)
    for _ in range(500):
        if engine.closed:
            break
        time.sleep(0.01)
    assert engine.closed
    assert lane.problem is None
    assert submit(lane, window(), OPTIONS, "a", Cancel()).result(10)
    assert len(loads) == 2
    lane.close()


def test_what_a_lane_does_is_counted(engine: EchoTranscriber) -> None:
    meters = Meters()
    lane = Lane("test", Recipe(lambda: engine, echo, BatchLimits(4)), meters=meters)
    hold(lane, engine)
    gone = Cancel()
    gone.set()
    futures = [submit(lane, window(2), OPTIONS, n, Cancel()) for n in range(2)]
    submit(lane, window(), OPTIONS, "gone", gone)
    page = meters.page().decode()
    assert 'antiphon_queue_jobs{model="test"} 3.0' in page
    assert 'antiphon_queue_seconds{model="test"} 5.0' in page
    engine.gate.set()
    wait(futures, 10)
    engine.failure = EngineError("no")
    with pytest.raises(EngineError):
        submit(lane, window(), OPTIONS, "a", Cancel()).result(10)
    lane.close()
    page = meters.page().decode()
    for told in (
        'antiphon_queue_jobs{model="test"} 0.0',
        'antiphon_batch_rows_count{model="test"} 2.0',
        'antiphon_batch_rows_sum{model="test"} 3.0',
        'antiphon_wait_seconds_count{model="test"} 3.0',
        'antiphon_sound_seconds_total{model="test"} 5.0',
        'antiphon_cancelled_total{model="test"} 1.0',
        'antiphon_failed_total{model="test"} 1.0',
    ):
        assert told in page


def test_what_a_window_took_is_counted() -> None:
    meters = Meters()
    cost = WindowCost(frames=3800, saved=1200, refilled=1, beamed=2, warmed=3)
    meters.transcribed("test", WindowResult((), LanguageGuess("en", 1.0), cost=cost))
    page = meters.page().decode()
    for told in (
        'antiphon_frames_total{model="test"} 3800.0',
        'antiphon_frames_saved_total{model="test"} 1200.0',
        'antiphon_redone_total{model="test",with="full window"} 1.0',
        'antiphon_redone_total{model="test",with="beam"} 2.0',
        'antiphon_fallbacks_total{model="test"} 3.0',
    ):
        assert told in page


def test_loading_is_tried_again(engine: EchoTranscriber) -> None:
    tries: list[int] = []

    def load() -> EchoTranscriber:
        tries.append(1)
        if len(tries) == 1:
            raise EngineError("not yet")
        return engine

    lane = Lane("test", Recipe(load, echo))
    assert str(lane.problem) == "is not loaded yet"
    with pytest.raises(EngineError):
        submit(lane, window(), OPTIONS, "a", Cancel()).result(10)
    assert str(lane.problem) == "not yet"
    assert submit(lane, window(), OPTIONS, "a", Cancel()).result(10)
    assert lane.problem is None
    lane.close()
    assert engine.closed


def test_closing_ends_what_runs_and_refuses_what_waits(engine: EchoTranscriber) -> None:
    lane = Lane("test", Recipe(lambda: engine, echo))
    engine.gate.clear()
    running = submit(lane, window(), OPTIONS, "a", Cancel())
    wait_until(lambda: engine.batches)
    waiting = submit(lane, window(), OPTIONS, "b", Cancel())
    engine.gate.set()
    lane.close()
    assert running.result(10)
    assert waiting.done()
    with pytest.raises(ShuttingDown):
        submit(lane, window(), OPTIONS, "c", Cancel()).result(10)


def test_batches_are_spread_over_all_workers(engine: EchoTranscriber) -> None:
    engine.calls = 2
    lane = Lane("test", Recipe(lambda: engine, echo, BatchLimits(8), lambda it: it.calls))
    assert submit(lane, window(), OPTIONS, "first", Cancel()).result(10)
    engine.gate.clear()
    futures = [submit(lane, window(), OPTIONS, "file", Cancel()) for _ in range(4)]
    for _ in range(1000):
        if len(engine.batches) == 3:
            break
        time.sleep(0.01)
    assert len(engine.batches) == 3, "both workers are busy at once"
    engine.gate.set()
    assert all(future.result(10) for future in futures)
    lane.close()
    assert engine.closed


def test_a_lease_keeps_the_engine(engine: EchoTranscriber) -> None:
    lane = Lane("test", Recipe(lambda: engine, echo), idle=0.02)
    with lane.lease():
        assert submit(lane, window(), OPTIONS, "a", Cancel()).result(10)
        time.sleep(0.1)
        assert not lane.evict()
        assert (engine.closed, lane.state) == (False, "loaded")
    for _ in range(500):
        if engine.closed:
            break
        time.sleep(0.01)
    assert (engine.closed, lane.state) == (True, "idle")
    lane.close()


def test_the_state_of_a_model(engine: EchoTranscriber) -> None:
    gate = threading.Event()
    loads: list[int] = []

    def load() -> EchoTranscriber:
        loads.append(1)
        gate.wait(10)
        if len(loads) == 1:
            raise EngineError("broken")
        return engine

    lane = Lane("test", Recipe(load, echo))
    states = [str(lane.state)]
    future = submit(lane, window(), OPTIONS, "a", Cancel())
    for _ in range(500):
        if loads:
            break
        time.sleep(0.01)
    states.append(lane.state)
    gate.set()
    assert isinstance(future.exception(10), EngineError)
    states.append(lane.state)
    assert submit(lane, window(), OPTIONS, "a", Cancel()).result(10)
    states.append(lane.state)
    assert states == ["idle", "loading", "failed", "loaded"]
    lane.close()
