"""Where Whisper runs: workers by cores, a GPU that cannot be used, what a container allows."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from engines import cores as cores_module
from engines import cuda_libraries
from engines.cores import cores
from engines.errors import WeightsBroken
from engines.gpus import Gpu
from engines.types import EngineOptions
from engines.whisper import device as whisper_place
from engines.whisper.device import (
    calculates_in_int8,
    number_formats,
    place_on_cpu,
    place_on_gpu,
    workers,
)


@pytest.mark.parametrize(
    ("here", "options", "chosen"),
    [
        (1, EngineOptions(), (1, 1)),
        (2, EngineOptions(), (2, 1)),
        (4, EngineOptions(), (2, 2)),
        (8, EngineOptions(), (4, 2)),
        (16, EngineOptions(), (4, 4)),
        (64, EngineOptions(), (16, 4)),
        (8, EngineOptions(threads=8), (1, 8)),
        (8, EngineOptions(threads=16), (1, 16)),
        (8, EngineOptions(workers=2), (2, 4)),
        (2, EngineOptions(workers=3), (3, 1)),
        (8, EngineOptions(threads=1, workers=5), (5, 1)),
    ],
)
def test_workers_and_their_threads(here: int, options: EngineOptions, chosen: tuple[int, int]) -> None:
    assert workers(options, here) == chosen


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", 12),
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("300000 100000", 3),
        ("9900000 100000", 12),
        ("nonsense", 12),
        (None, 12),
    ],
)
def test_a_container_may_have_less(
    quota: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota + "\n")
    monkeypatch.setattr(cores_module, "QUOTA", file)
    monkeypatch.setattr(cores_module, "_affinity", lambda: 12)
    assert cores() == expected


GIB = 1024**3


MODERN = {"float16", "bfloat16", "int8_float16", "int8_float32", "int8", "float32"}


def pretend_gpus(monkeypatch: pytest.MonkeyPatch, *free: float) -> None:
    cards = tuple(
        Gpu(index=at, name="a", memory=80 * GIB, free=int(room * GIB), capability=(9, 0))
        for at, room in enumerate(free)
    )
    monkeypatch.setattr(whisper_place, "gpus", lambda: cards)
    monkeypatch.setattr(whisper_place, "worth_trying", lambda: True)
    monkeypatch.setattr(cuda_libraries, "preload", lambda: ["libcublas.so.12"])


class LoadedModel:
    """A model on a simulated GPU."""

    def __init__(self, number_format: str) -> None:
        self.number_format = number_format
        self.feature_extractor = SimpleNamespace(mel_filters=np.zeros((80, 201)))

    def encode(self, features: NDArray[np.float32]) -> None:
        assert features.shape[1] == 80


def test_number_formats_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_gpus(monkeypatch, 70, 3)
    (tmp_path / "model.bin").write_bytes(b"x")
    assert number_formats(tmp_path, EngineOptions(), MODERN) == ("float16", "int8_float16")
    assert number_formats(tmp_path, EngineOptions(compute_type="bfloat16"), MODERN) == ("bfloat16",)
    with (tmp_path / "model.bin").open("r+b") as weights:
        weights.truncate(3 * GIB)
    assert number_formats(tmp_path, EngineOptions(), MODERN) == ("float16", "int8_float16")
    assert number_formats(tmp_path, EngineOptions(devices=(1,)), MODERN) == ("int8_float16",)
    assert number_formats(tmp_path, EngineOptions(devices=(0, 1)), MODERN) == ("int8_float16",)


@pytest.mark.parametrize(
    ("asked", "able", "expected"),
    [
        ("auto", {"float16", "float32", "bfloat16"}, ("float16",)),  # no int8, as on some Blackwell GPUs
        ("auto", {"int8_float32", "float32"}, ("int8_float32",)),
        ("auto", {"float32"}, ("float32",)),
        ("bfloat16", {"float16", "int8_float16", "float32"}, ("float16", "int8_float16")),
        ("default", {"float32"}, ("default",)),
        ("nonsense", {"float32"}, ("float32",)),
    ],
)
def test_formats_that_the_library_does_not_have(
    asked: str, able: set[str], expected: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_gpus(monkeypatch, 70)
    assert number_formats(tmp_path, EngineOptions(compute_type=asked), able) == expected


def test_a_library_without_cuda_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The package of CTranslate2 for machines other than x86-64 has no CUDA and reports no GPU."""
    pretend_gpus(monkeypatch, 70)

    def refuse(device: str, index: int) -> set[str]:
        raise ValueError("This CTranslate2 package was not compiled with CUDA support")

    monkeypatch.setattr("ctranslate2.get_supported_compute_types", refuse)
    assert place_on_gpu(tmp_path, EngineOptions()) is None
    assert "so the CPU is used: This CTranslate2 package was not compiled with CUDA" in caplog.text
    with pytest.raises(WeightsBroken):
        place_on_gpu(tmp_path, EngineOptions(device="cuda"))


@pytest.mark.parametrize(
    ("fits", "options", "expected"),
    [
        (("float16", "int8_float16"), EngineOptions(), "float16"),
        (("int8_float16",), EngineOptions(), "int8_float16"),
        ((), EngineOptions(device="cuda"), None),
        (("int8_float16",), EngineOptions(device="cuda", compute_type="float16"), None),
    ],
)
def test_weights_that_do_not_fit(
    fits: tuple[str, ...],
    options: EngineOptions,
    expected: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    pretend_gpus(monkeypatch, 70, 70)

    def load(folder: Path, **chosen: Any) -> LoadedModel:
        assert chosen["device"] == "cuda"
        if chosen["compute_type"] not in fits:
            raise WeightsBroken("no") from RuntimeError("CUDA failed with error out of memory")
        return LoadedModel(chosen["compute_type"])

    monkeypatch.setattr(whisper_place, "_load", load)
    monkeypatch.setattr(whisper_place, "_formats", lambda devices: MODERN)
    if expected is None:
        with pytest.raises(WeightsBroken):
            place_on_gpu(tmp_path, options)
        return
    placed = place_on_gpu(tmp_path, dataclasses.replace(options, devices=(0, 1)))
    assert placed
    model, calls = placed
    assert cast("LoadedModel", model).number_format == expected
    assert calls == 2 * whisper_place.CALLS_PER_GPU
    assert f"is on GPU 0, 1 in {expected}, with 2 batches at once on each" in caplog.text


@pytest.mark.parametrize(
    ("asked", "rounded"),
    [("auto", True), ("int8", True), ("float16", True), ("int8_float16", True), ("float32", False)],
)
def test_weights_on_a_cpu_are_int8_unless_more_is_asked_for(asked: str, rounded: bool) -> None:
    assert calculates_in_int8(EngineOptions(compute_type=asked)) == rounded


@pytest.mark.real
def test_a_gpu_that_cannot_be_used_is_told_and_the_cpu_takes_over(
    whisper_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("this machine has a GPU, so it can be used")
    pretend_gpus(monkeypatch, 70)
    options = EngineOptions(device="auto", compute_type="float16", workers=1)
    with caplog.at_level(logging.WARNING):
        assert place_on_gpu(whisper_folder, options) is None
    model, calls = place_on_cpu(whisper_folder, options)
    assert (model.model.device, model.model.compute_type, calls) == ("cpu", "int8_float32", 1)
    assert "CUDA" in caplog.text
    assert "so the CPU is used" in caplog.text
    assert "libcublas.so.12 is missing; `make serve GPU=1`" in caplog.text


@pytest.mark.real
def test_a_gpu_that_was_asked_for_is_not_replaced(whisper_folder: Path) -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("this machine has a GPU, so it can be used")
    with pytest.raises(WeightsBroken) as caught:
        place_on_gpu(whisper_folder, EngineOptions(device="cuda"))
    assert str(whisper_folder.parent) not in str(caught.value)
    assert "GPU" in str(caught.value)
