"""The values that settings get where 0 means "automatic", on machines with simulated GPUs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from app.container import automatic_settings
from app.container.automatic_settings import Capacity, capacity, filled, readers, seconds_together
from app.settings import Settings
from engines.gpus import Driver, Gpu

GIB = 1024**3


def gpu(index: int, gib: int) -> Gpu:
    return Gpu(index=index, name="a", memory=gib * GIB, free=gib * GIB, capability=(8, 9))


def pretend(monkeypatch: pytest.MonkeyPatch, *gpus: Gpu, cuda: tuple[int, int] = (12, 8)) -> None:
    monkeypatch.setattr(automatic_settings, "driver", lambda: Driver(version="570", cuda=cuda, gpus=gpus))
    monkeypatch.setattr("engines.cuda_libraries.preload", list)


def settings(**groups: dict[str, Any]) -> Settings:
    return Settings.model_validate(groups)


def chosen(made: Settings) -> Capacity:
    runtime = made.runtime
    return Capacity(
        batch_rows=runtime.batch_rows,
        batch_seconds=runtime.batch_seconds,
        windows_ahead=runtime.windows_ahead,
        decoded_seconds=made.limits.decoded_seconds,
        decode_threads=runtime.decode_threads,
        requests=made.limits.requests,
    )


def test_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic_settings, "driver", lambda: None)
    assert chosen(filled(settings())) == Capacity()


def test_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpu(0, 24), gpu(1, 8))
    assert chosen(filled(settings())).batch_rows == 13
    assert chosen(filled(settings())).requests == 256
    assert filled(settings()).transcription.device_index == (0,)
    assert chosen(filled(settings(transcription={"device_index": [0, 1]}))).batch_rows == 2
    assert chosen(filled(settings(transcription={"device": "cpu"}))) == Capacity()
    assert chosen(filled(settings(transcription={"device_index": [5]}))) == Capacity()


def test_gpus_that_are_alike_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpu(0, 24), gpu(1, 24), gpu(2, 8))
    assert filled(settings()).transcription.device_index == (0, 1)
    assert filled(settings(transcription={"device_index": [2]})).transcription.device_index == (2,)
    assert filled(settings(transcription={"device": "cpu"})).transcription.device_index == (0,)


def test_with_a_gpu_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models then run on the CPU, where large batches keep others waiting."""
    pretend(monkeypatch, gpu(0, 24), cuda=(11, 8))
    assert chosen(filled(settings())) == Capacity()
    pretend(monkeypatch, gpu(0, 24))
    monkeypatch.setattr("engines.cuda_libraries.preload", lambda: ["libcublas.so.12"])
    assert chosen(filled(settings())) == Capacity()


def test_what_is_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpu(0, 24))
    asked = {"batch_rows": 3, "batch_seconds": 5, "windows_ahead": 2, "decode_threads": 1}
    limits = {"decoded_seconds": 100, "requests": 3}
    made = chosen(filled(settings(runtime=asked, limits=limits)))
    assert made == Capacity(**asked, decoded_seconds=100, requests=3)


@pytest.mark.parametrize(("cores", "threads"), [(1, 4), (8, 8), (128, 32)])
def test_uploads_are_decoded_on_the_cores(cores: int, threads: int) -> None:
    assert capacity([gpu(0, 80)], cores).decode_threads == threads


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, 2 * 4 * 60),
        ({"runtime": {"batch_seconds": 90}}, 2 * 4 * 90),
        ({"runtime": {"placement": "ray"}}, math.inf),
        ({"transcription": {"device_index": [0]}}, 2 * 4 * 60),
    ],
)
def test_seconds_of_all_recordings(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], seconds: float
) -> None:
    monkeypatch.setattr(automatic_settings, "cores", lambda: 4)
    monkeypatch.setattr(automatic_settings, "driver", lambda: None)
    assert seconds_together(filled(Settings.model_validate(settings))) == seconds


def test_seconds_of_all_recordings_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpu(0, 24))
    assert seconds_together(filled(settings())) == math.inf
    assert seconds_together(filled(settings(transcription={"device": "cpu"}))) < math.inf


def test_two_cores_without_a_gpu_have_one_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automatic_settings, "driver", lambda: None)
    for count, expected in ((1, 1), (2, 1), (3, 2), (64, 2)):
        monkeypatch.setattr(automatic_settings, "cores", lambda count=count: count)
        assert readers(settings()) == expected
    pretend(monkeypatch, gpu(0, 24))
    monkeypatch.setattr(automatic_settings, "cores", lambda: 2)
    assert readers(filled(settings())) == 2
    assert readers(filled(settings(transcription={"device": "cpu"}))) == 1
