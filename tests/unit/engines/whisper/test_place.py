"""Where Whisper runs: workers by cores, a GPU that cannot be used, what a container allows."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from engines.common import cores as cores_module
from engines.common.cores import cores
from engines.errors import WeightsBroken
from engines.types import EngineOptions
from engines.whisper import place as whisper_place
from engines.whisper.place import place, workers


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


@pytest.mark.real
def test_a_gpu_that_cannot_be_used_is_told_and_the_cpu_takes_over(
    whisper_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("this machine has a GPU, so it can be used")
    monkeypatch.setattr(whisper_place, "_gpus", lambda: 1)
    with caplog.at_level(logging.WARNING):
        model, calls = place(whisper_folder, EngineOptions(device="auto", compute_type="float16", workers=1))
    assert (model.model.device, calls) == ("cpu", 1)
    assert "CUDA" in caplog.text
    assert "so the CPU is used" in caplog.text


@pytest.mark.real
def test_a_gpu_that_was_asked_for_is_not_replaced(whisper_folder: Path) -> None:
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("this machine has a GPU, so it can be used")
    with pytest.raises(WeightsBroken) as caught:
        place(whisper_folder, EngineOptions(device="cuda"))
    assert str(whisper_folder.parent) not in str(caught.value)
    assert "GPU" in str(caught.value)
