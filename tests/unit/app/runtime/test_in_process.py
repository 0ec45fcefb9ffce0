"""Engines of this process: what becomes of their failures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.errors import ModelUnavailable, from_engine
from app.runtime.in_process import TranscriberHost
from engines.errors import DeviceLost
from engines.types import Pcm, TranscribeOptions, Window, WindowResult
from engines.work import LengthClasses, Transcribe

WORK = Transcribe((Window(Pcm(np.zeros(16_000, np.float32))),), TranscribeOptions())


class Failing:
    """A transcriber whose calls fail."""

    calls = 1
    device = "cuda"
    lengths = LengthClasses()

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def prepare(self, window: Window) -> Window:
        return window

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        raise self.failure

    def close(self) -> None:
        pass


def test_a_gpu_that_is_lost_is_a_problem_from_then_on() -> None:
    host = TranscriberHost(Failing(RuntimeError("CUDA failed with error unspecified launch failure")))
    assert host.problem is None
    with pytest.raises(DeviceLost) as caught:
        host.do(WORK, 1.0)
    assert "has to be started again" in (host.problem or "")
    told = from_engine(caught.value)
    assert isinstance(told, ModelUnavailable)
    assert told.status == 503


@pytest.mark.parametrize(
    "failure", [RuntimeError("CUDA failed with error out of memory"), ValueError("CUDA launch failure")]
)
def test_other_failures_are_those_of_one_request(failure: Exception) -> None:
    host = TranscriberHost(Failing(failure))
    with pytest.raises(type(failure)):
        host.do(WORK, 1.0)
    assert host.problem is None
