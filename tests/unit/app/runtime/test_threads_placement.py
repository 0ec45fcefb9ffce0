"""Engines in this process: how their failures are reported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from app.errors import ModelUnavailable, from_engine
from app.runtime.threads_placement import ThreadsPlacement, TranscriberHost
from engines.catalog import EngineFinder
from engines.errors import DeviceLost
from engines.types import EngineOptions, Pcm, TranscribeOptions, Voice, Window, WindowResult
from engines.work import LengthClasses, Order, Transcribe

WORK = Transcribe((Window(Pcm(np.zeros(16_000, np.float32))),), TranscribeOptions())


class Pretended:
    """A fake transcriber whose calls may fail."""

    calls = 1
    lengths = LengthClasses()

    def __init__(self, failure: Exception | None = None, device: str = "cuda") -> None:
        self.failure = failure
        self.device = device
        self.tried: list[TranscribeOptions] = []

    def prepare(self, window: Window) -> Window:
        return window

    def transcribe(self, windows: Sequence[Window], options: TranscribeOptions) -> list[WindowResult]:
        self.tried.append(options)
        if self.failure:
            raise self.failure
        return []

    def close(self) -> None:
        pass


def test_a_gpu_that_is_lost_is_a_problem_from_then_on() -> None:
    host = TranscriberHost(Pretended(RuntimeError("CUDA failed with error unspecified launch failure")))
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
    host = TranscriberHost(Pretended(failure))
    with pytest.raises(type(failure)):
        host.do(WORK, 1.0)
    assert host.problem is None


@pytest.mark.parametrize(
    ("device", "searches"), [("cpu", [(1, (0.0,))]), ("cuda", [(1, (0.0,)), (5, (0.0,)), (5, (0.4,))])]
)
def test_on_a_gpu_every_kind_of_search_is_tried_before_the_first_request(
    device: str, searches: list[tuple[int, tuple[float, ...]]]
) -> None:
    engine = Pretended(device=device)
    finder = SimpleNamespace(transcribers=lambda name: lambda folder, options: engine)
    order = Order("transcription", "pretended", Path(), EngineOptions(), "m")
    host = ThreadsPlacement(cast("EngineFinder", finder)).open(order)
    assert [(options.beam_size, options.temperatures) for options in engine.tried] == searches
    assert host.device == device


@pytest.mark.parametrize("shorter", [False, True])
def test_an_engine_speaks_once_before_the_first_request_in_its_own_way_if_it_has_one(
    *, shorter: bool
) -> None:
    spoken: list[tuple[str, str]] = []
    engine = SimpleNamespace(synthesize=lambda utterance: spoken.append(("synthesize", utterance.voice)))
    if shorter:
        engine.warm_up = lambda utterance: spoken.append(("warm_up", utterance.voice))
    kind = SimpleNamespace(
        load=lambda folder, options: engine, voices=lambda folder: (Voice("anna", "de", "female", 24_000),)
    )
    finder = SimpleNamespace(synthesizers=lambda name: kind, cloners=None)
    ThreadsPlacement(cast("EngineFinder", finder)).open(
        Order("speech", "pretended", Path(), EngineOptions(), "m")
    )
    assert spoken == [("warm_up" if shorter else "synthesize", "anna")]
