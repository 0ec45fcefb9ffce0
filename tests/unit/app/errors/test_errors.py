from __future__ import annotations

from app.errors import from_engine
from engines.errors import SIGKILL, EngineDied, EngineStuck


def test_a_request_is_to_blame_for_a_crash_and_not_for_a_kill_from_outside() -> None:
    crashed, stuck, killed = map(
        from_engine, (EngineDied("a fault"), EngineStuck(60), EngineDied("a person", signal=SIGKILL))
    )
    assert (crashed.status, crashed.retry) == (stuck.status, stuck.retry) == (500, False)
    assert (killed.status, killed.code, killed.retry_after) == (503, "model_unavailable", 30)


def test_the_kernel_kills_a_process_because_of_its_work() -> None:
    assert from_engine(EngineDied("memory", signal=SIGKILL, memory=True)).status == 500
