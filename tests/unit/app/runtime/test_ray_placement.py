"""The server's side of a model in a cluster, with a gateway that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, cast

import numpy as np
import pytest

from app.runtime.child_messages import Done, Loaded
from app.runtime.meters import Meters
from app.runtime.ray_deployment_options import REPLICA_VARIABLES
from app.runtime.ray_gateway import Gateway
from app.runtime.ray_messages import AppState, ClusterRules, LoadOn, packed, packed_bytes, unpacked
from app.runtime.ray_placement import GATEWAY_VARIABLES, RayPlacement
from engines.errors import SIGKILL, EngineDied
from engines.types import SAMPLE_RATE, EngineOptions, Pcm, TranscribeOptions, Window
from engines.work import LengthClasses, Order, Transcribe

ORDER = Order("transcription", "scripted", Path("/data/weights/x"), EngineOptions(), "owner/model")
WORK = Transcribe((Window(Pcm(np.zeros(30 * SAMPLE_RATE, np.float32))),), TranscribeOptions())


class FakeGateway:
    """Answers at once, or fails with the next of `failures`."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.failures: list[EngineDied] = []
        self.heard: Callable[[int], None] = lambda count: None
        self.closed = Event()

    def enter(self, app: str) -> None: ...

    def leave(self, app: str) -> None:
        self.heard(0)

    def loaded(self, app: str, heard: Callable[[int], None]) -> None:
        self.heard = heard
        heard(1)

    def state(self, app: str) -> AppState:
        return AppState(2, "")

    def ask(self, question: object, patience: float, wanted: object = None) -> Any:
        if isinstance(question, LoadOn):
            return packed(Loaded(1, None, LengthClasses(), "cpu"))
        if self.failures:
            raise self.failures.pop()
        return packed(Done(["text"], 0.0))


def test_metrics_arrive_under_the_names_of_processes() -> None:
    gateway, meters = FakeGateway(), Meters()
    host = RayPlacement(ClusterRules(address="head:1"), cast("Gateway", gateway), meters).open(ORDER)
    labels = '{device="cpu",model="owner/model"'
    assert f"antiphon_child_up{labels}}} 1.0" in meters.page().decode()
    gateway.heard(2)
    said: list[object] = [*host.do(WORK, 10)]
    assert said == ["text"]
    gateway.failures = [EngineDied("its replica is gone", signal=SIGKILL), EngineDied("its replica ended")]
    for _ in range(2):
        with pytest.raises(EngineDied):
            host.do(WORK, 10)
    page = meters.page().decode()
    assert f"antiphon_child_up{labels}}} 2.0" in page
    assert f"antiphon_call_overhead_seconds_count{labels}}} 1.0" in page
    for reason in ("crash", "killed"):
        assert f'antiphon_child_restarts_total{labels},reason="{reason}"}} 1.0' in page
    host.close()
    assert f"antiphon_child_up{labels}}} 0.0" in meters.page().decode()


def test_large_arrays_are_not_copied_into_the_pickle_and_come_back_writable() -> None:
    data, arrays = packed(WORK)
    assert len(data) < 10_000
    assert [array.nbytes for array in arrays] == [4 * 30 * SAMPLE_RATE]
    for array in arrays:
        array.flags.writeable = False
    back: Transcribe = unpacked((data, arrays))
    back.rows[0].pcm.samples[0] = 1


def test_a_whole_window_travels_in_a_message_and_the_answers_do_the_same() -> None:
    window = Window(Pcm(np.zeros(30 * SAMPLE_RATE, np.float32)))
    limits = {
        int(variables["RAY_max_direct_call_object_size"])
        for variables in (GATEWAY_VARIABLES, REPLICA_VARIABLES)
    }
    assert packed_bytes(packed(Transcribe((window,), TranscribeOptions()))) < limits.pop()
    assert not limits
