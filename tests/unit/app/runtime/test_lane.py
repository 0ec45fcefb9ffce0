"""Lanes: batches, cancellation, failures, loading and closing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from dataclasses import replace
from itertools import pairwise

import pytest

from app.errors import RequestTimedOut, ShuttingDown
from app.logs import bound, current_request
from app.runtime import lane as lane_module
from app.runtime import model_life
from app.runtime.batching import BatchLimits
from app.runtime.lane import Lane
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.meters import Meters
from app.runtime.threads_placement import TranscriberHost
from engines.errors import EngineError, EngineOutOfMemory
from engines.types import LanguageGuess, TranscribeOptions, Window, WindowCost, WindowResult
from engines.work import Host
from tests.support.fake_engines import EchoTranscriber
from tests.support.lanes import lane_of, permits, submit, window
from tests.support.waiting import keeps, wait_until

admit = permits()


@pytest.fixture
def engine() -> EchoTranscriber:
    return EchoTranscriber()


@pytest.fixture
def lane(engine: EchoTranscriber) -> Iterator[Lane]:
    made = lane_of(engine, rows=4)
    yield made
    engine.gate.set()
    made.close()


def hold(lane: Lane, engine: EchoTranscriber) -> None:
    """Keeps the lane busy with one batch until the engine's gate is set."""
    engine.gate.clear()
    submit(lane, window(), admit())
    wait_until(lambda: engine.batches)


def test_windows_of_several_requests_ride_together(lane: Lane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    one, two = admit(), admit()
    futures = [submit(lane, window(), permit) for permit in (one, one, one, two)]
    engine.gate.set()
    assert all(future.result(10) for future in futures)
    assert [len(batch) for batch in engine.batches] == [1, 4]


def test_clients_that_were_answered_together_ride_together_again(
    lane: Lane, engine: EchoTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "GATHERING_SHARE", 1e6)
    monkeypatch.setattr(lane_module, "LONGEST_GATHERING", 60.0)
    hold(lane, engine)
    futures = [submit(lane, window(), admit()) for _ in range(3)]
    engine.gate.set()
    wait(futures, 10)
    again = [submit(lane, window(), admit())]
    keeps(lambda: lane.waiting == 1)
    wait([*again, *(submit(lane, window(), admit()) for _ in range(2))], 10)
    assert [len(batch) for batch in engine.batches] == [1, 3, 3]


def test_other_options_make_another_batch(lane: Lane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    futures = [submit(lane, window(), admit(), TranscribeOptions(beam_size=n)) for n in (1, 2)]
    engine.gate.set()
    wait(futures, 10)
    assert [len(batch) for batch in engine.batches] == [1, 1, 1]


def test_a_cancelled_request_costs_nothing(lane: Lane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    gone = admit()
    dropped = [submit(lane, window(), gone) for _ in range(20)]
    kept = submit(lane, window(2), admit())
    gone.close()
    engine.gate.set()
    assert kept.result(10).segments[0].end == 2
    assert sum(len(batch) for batch in engine.batches) == 2
    assert all(isinstance(future.exception(10), RequestTimedOut) for future in dropped)
    assert lane.waiting == 0


def test_a_future_that_nobody_waits_for_leaves_at_once(lane: Lane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    unwanted = submit(lane, window(), admit())
    assert lane.waiting == 1
    assert unwanted.cancel()
    assert lane.waiting == 0
    engine.gate.set()
    assert submit(lane, window(), admit()).result(10)
    assert sum(len(batch) for batch in engine.batches) == 2


def test_a_deadline_ends_the_wait(lane: Lane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    late = submit(lane, window(), permits(-1)())
    engine.gate.set()
    with pytest.raises(RequestTimedOut):
        late.result(10)


def test_a_failing_batch_fails_its_own_requests_only(lane: Lane, engine: EchoTranscriber) -> None:
    engine.failure = EngineError("no")
    with pytest.raises(EngineError):
        submit(lane, window(), admit()).result(10)
    engine.failure = None
    assert submit(lane, window(), admit()).result(10)


def test_one_bad_row_does_not_fail_its_neighbours(lane: Lane, engine: EchoTranscriber) -> None:
    hold(lane, engine)
    futures = [submit(lane, window(), admit()) for _ in range(3)]
    bad = submit(lane, replace(window(), prompt="bad"), admit())
    engine.bad_prompt = "bad"
    engine.gate.set()
    assert all(future.result(10) for future in futures)
    with pytest.raises(EngineError):
        bad.result(10)


class Miscounting(EchoTranscriber):
    """Gives a wrong number of results for every batch of several rows, or for each."""

    always = False
    more = 0

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        results = super().transcribe(windows, options)
        if len(windows) > 1 or self.always:
            return [*results, *results] if self.more else results[1:]
        return results


@pytest.mark.parametrize("more", [0, 1])
def test_a_wrong_count_of_results_is_noticed_before_any_is_delivered(more: int) -> None:
    engine = Miscounting()
    engine.more = more
    lane = lane_of(engine, rows=4)
    hold(lane, engine)
    futures = [submit(lane, window(seconds), admit()) for seconds in (1, 2)]
    engine.gate.set()
    assert [future.result(10).segments[0].end for future in futures] == [1, 2], "each row by itself"
    engine.always = True
    with pytest.raises(EngineError, match="results for 1 rows"):
        submit(lane, window(), admit()).result(10)
    engine.always = False
    assert submit(lane, window(), admit()).result(10), "the thread lives on"
    assert lane.running == 0
    lane.close()


class Exiting(EchoTranscriber):
    """Tries to end the thread that calls it, as some libraries do."""

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        results = super().transcribe(windows, options)
        if any(window.prompt for window in windows):
            raise SystemExit(1)
        return results


def test_nothing_ends_the_thread_of_a_lane(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = lane_of(Exiting())
    with pytest.raises(EngineError):
        submit(lane, replace(window(), prompt="exit"), admit()).result(10)
    assert submit(lane, window(), admit()).result(10)
    monkeypatch.setattr(Meters, "worked", None)  # an error in our own code, at the worst moment
    with pytest.raises(EngineError):
        submit(lane, window(), admit()).result(10)
    monkeypatch.undo()
    assert submit(lane, window(), admit()).result(10)
    assert "was given up" in caplog.text
    lane.close()


def test_memory_that_is_refused_is_told_as_such(engine: EchoTranscriber) -> None:
    shortage = MemoryShortage()
    lane = lane_of(engine, shortage=shortage)
    assert submit(lane, window(), admit()).result(10)
    assert shortage.problem is None
    engine.failure = RuntimeError("CUDA failed with error out of memory")
    with pytest.raises(EngineOutOfMemory):
        submit(lane, window(), admit()).result(10)
    assert "memory" in str(shortage.problem)
    engine.failure = None
    assert submit(lane, window(), admit()).result(10)
    lane.close()


def test_an_engine_logs_with_the_ids_of_its_requests() -> None:
    seen: list[str | None] = []

    class Talking(EchoTranscriber):
        def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
            seen.append(current_request())
            return super().transcribe(windows, options)

    lane = lane_of(Talking())
    with bound("req_1"):
        permit = admit()
    assert submit(lane, window(), permit).result(10)
    assert seen == ["req_1"]
    lane.close()


def test_an_idle_engine_is_unloaded_and_loaded_again(engine: EchoTranscriber) -> None:
    loads: list[int] = []

    def load() -> Host:
        loads.append(1)
        return TranscriberHost(engine)

    lane = Lane("test", load, limits=BatchLimits(rows=1), idle=0.05)
    assert submit(lane, window(), admit()).result(10)
    wait_until(lambda: engine.closed)
    assert lane.life.problem is None
    assert submit(lane, window(), admit()).result(10)
    assert len(loads) == 2
    lane.close()


def test_what_a_lane_does_is_counted(engine: EchoTranscriber) -> None:
    meters = Meters()
    lane = lane_of(engine, rows=4, meters=meters)
    hold(lane, engine)
    gone = admit()
    futures = [submit(lane, window(2), admit()) for n in range(2)]
    submit(lane, window(), gone)
    gone.close()
    page = meters.page().decode()
    assert 'antiphon_queue_jobs{model="test"} 3.0' in page
    assert 'antiphon_queue_seconds{model="test"} 5.0' in page
    engine.gate.set()
    wait(futures, 10)
    engine.failure = EngineError("no")
    with pytest.raises(EngineError):
        submit(lane, window(), admit()).result(10)
    lane.close()
    page = meters.page().decode()
    for told in (
        'antiphon_queue_jobs{model="test"} 0.0',
        'antiphon_batch_rows_count{model="test"} 2.0',
        'antiphon_batch_rows_sum{model="test"} 3.0',
        'antiphon_wait_seconds_count{model="test"} 3.0',
        'antiphon_run_seconds_count{model="test"} 2.0',
        'antiphon_model_load_seconds_count{model="test"} 1.0',
        'antiphon_sound_seconds_total{model="test"} 5.0',
        'antiphon_cancelled_total{model="test"} 1.0',
        'antiphon_failed_total{model="test"} 1.0',
    ):
        assert told in page


def test_what_a_window_took_is_counted() -> None:
    meters = Meters()
    cost = WindowCost(frames=3800, saved=1200, reencoded=1, beamed=2, fallbacks=3)
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


def failing(engine: EchoTranscriber, times: int, tries: list[float]) -> Lane:
    """A lane whose model cannot be loaded the first `times` times."""

    def load() -> Host:
        tries.append(time.monotonic())
        if len(tries) <= times:
            raise EngineError("not yet")
        return TranscriberHost(engine)

    return Lane("test", load, limits=BatchLimits(rows=1))


def test_loading_is_tried_again_with_the_next_job(engine: EchoTranscriber) -> None:
    lane = failing(engine, 1, [])
    assert str(lane.life.problem) == "is not loaded yet"
    with pytest.raises(EngineError):
        submit(lane, window(), admit()).result(10)
    assert str(lane.life.problem) == "not yet"
    assert submit(lane, window(), admit()).result(10)
    assert lane.life.problem is None
    lane.close()
    assert engine.closed


def test_a_model_that_must_be_ready_becomes_so_without_a_job(
    engine: EchoTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_life, "FIRST_PAUSE_SECONDS", 0.05)
    tries: list[float] = []
    lane = failing(engine, 3, tries)
    lane.preload()
    wait_until(lambda: tries and lane.life.problem == "not yet")
    wait_until(lambda: lane.life.problem is None)
    assert lane.life.state == "loaded"
    pauses = [after - before for before, after in pairwise(tries)]
    assert len(pauses) == 3
    assert all(pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2), strict=True))
    lane.close()


def test_closing_does_not_wait_for_another_attempt(engine: EchoTranscriber) -> None:
    lane = failing(engine, 1000, [])
    lane.preload()
    wait_until(lambda: lane.life.problem == "not yet")
    closing = threading.Thread(target=lane.close)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()


def test_all_that_waits_fails_with_the_loading(engine: EchoTranscriber) -> None:
    gate = threading.Event()
    loads: list[int] = []

    def load() -> Host:
        loads.append(1)
        gate.wait(10)
        raise EngineError("broken")

    lane = Lane("test", load, limits=BatchLimits(rows=1))
    futures = [submit(lane, window(), admit()) for _ in range(5)]
    wait_until(lambda: loads)
    gate.set()
    assert all(str(future.exception(10)) == "broken" for future in futures)
    assert len(loads) <= 2, "once for what waited, and once more for what came while it was loaded"
    lane.close()


def test_closing_ends_what_runs_and_refuses_what_waits(engine: EchoTranscriber) -> None:
    lane = lane_of(engine)
    engine.gate.clear()
    running = submit(lane, window(), admit())
    wait_until(lambda: engine.batches)
    waiting = submit(lane, window(), admit())
    closing = threading.Thread(target=lane.close)
    closing.start()
    assert isinstance(waiting.exception(10), ShuttingDown), "while the batch before it still runs"
    assert not running.done()
    engine.gate.set()
    closing.join(10)
    assert running.result(10)
    assert engine.closed
    assert len(engine.batches) == 1
    with pytest.raises(ShuttingDown):
        submit(lane, window(), admit()).result(10)


def test_batches_are_spread_over_all_workers(engine: EchoTranscriber) -> None:
    engine.calls = 2
    lane = lane_of(engine, rows=8)
    assert submit(lane, window(), admit()).result(10)
    engine.gate.clear()
    permit = admit()
    futures = [submit(lane, window(), permit) for _ in range(4)]
    wait_until(lambda: len(engine.batches) == 3, what="both workers are busy at once")
    engine.gate.set()
    assert all(future.result(10) for future in futures)
    lane.close()
    assert engine.closed


def test_all_workers_take_part_after_the_engine_was_loaded_again(engine: EchoTranscriber) -> None:
    engine.calls = 2
    lane = lane_of(engine)
    assert submit(lane, window(), admit()).result(10)
    wait_until(lane.life.evict)
    engine.gate.clear()
    done = len(engine.batches)
    futures = [submit(lane, window(), admit()) for _ in range(2)]
    wait_until(lambda: len(engine.batches) == done + 2, what="both workers are busy at once")
    engine.gate.set()
    assert all(future.result(10) for future in futures)
    lane.close()


def test_an_engine_that_is_held_stays(engine: EchoTranscriber) -> None:
    lane = lane_of(engine, idle=0.02)
    with lane.life.hold() as nothing:
        assert nothing is None, "holding does not load"
    assert submit(lane, window(), admit()).result(10)
    with lane.life.lease(lambda: True):
        keeps(lambda: not engine.closed)
        assert not lane.life.evict()
        assert (engine.closed, lane.life.state) == (False, "loaded")
    wait_until(lambda: engine.closed)
    wait_until(lambda: lane.life.state == "idle")
    lane.close()


def test_closing_waits_for_whoever_holds_the_engine(engine: EchoTranscriber) -> None:
    lane = lane_of(engine)
    assert submit(lane, window(), admit()).result(10)
    closing = threading.Thread(target=lane.close)
    with lane.life.hold() as host:
        assert host is not None
        closing.start()
        closing.join(0.1)
        assert not engine.closed
    closing.join(10)
    assert engine.closed


def test_the_state_of_a_model(engine: EchoTranscriber) -> None:
    gate = threading.Event()
    loads: list[int] = []

    def load() -> Host:
        loads.append(1)
        gate.wait(10)
        if len(loads) == 1:
            raise EngineError("broken")
        return TranscriberHost(engine)

    lane = Lane("test", load, limits=BatchLimits(rows=1))
    states = [str(lane.life.state)]
    future = submit(lane, window(), admit())
    wait_until(lambda: loads)
    states.append(lane.life.state)
    gate.set()
    assert isinstance(future.exception(10), EngineError)
    states.append(lane.life.state)
    assert submit(lane, window(), admit()).result(10)
    states.append(lane.life.state)
    assert states == ["idle", "loading", "failed", "loaded"]
    lane.close()


def test_an_unexpected_failure_is_logged_with_its_trace(
    engine: EchoTranscriber, caplog: pytest.LogCaptureFixture
) -> None:
    lane = lane_of(engine)
    engine.failure = ValueError("a bug")
    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match="a bug"):
        submit(lane, window(), admit()).result(10)
    assert "Traceback" in caplog.text
    lane.close()
