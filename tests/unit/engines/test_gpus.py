"""GPUs that are pretended: what is read of them, and what is chosen for them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engines import gpus as module
from engines.gpus import Gpu, batch_rows, compute_type, driver, gpus, visible
from tests.support.nvml import GIB, Card, Nvml


def gpu(memory: float, free: float, capability: tuple[int, int] = (8, 0)) -> Gpu:
    return Gpu(index=0, name="a", memory=int(memory * GIB), free=int(free * GIB), capability=capability)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine whose driver has its device file."""
    device = tmp_path / "nvidiactl"
    device.touch()
    monkeypatch.setattr(module, "DEVICE_FILES", (device,))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def test_what_the_driver_tells(here: pytest.MonkeyPatch) -> None:
    pretended = Nvml([Card(), Card(name="NVIDIA L4", memory=24 * GIB, free=20 * GIB, capability=(8, 9))])
    here.setitem(sys.modules, "pynvml", pretended)
    found = driver()
    assert found
    assert (found.version, found.cuda) == ("550.54.14", (12, 4))
    assert [(g.index, g.name, g.capability) for g in found.gpus] == [
        (0, "NVIDIA H100", (9, 0)),
        (1, "NVIDIA L4", (8, 9)),
    ]
    assert pretended.open == 0


def test_numbers_follow_cuda_visible_devices(here: pytest.MonkeyPatch) -> None:
    here.setitem(sys.modules, "pynvml", Nvml([Card(uuid="GPU-a"), Card(name="second", uuid="GPU-b")]))
    here.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [(g.index, g.name) for g in gpus()] == [(0, "second")]


@pytest.mark.parametrize(
    ("allowed", "left"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("2,0", [2, 0]),
        ("GPU-b", [1]),
        ("GPU", []),  # more than one begins so
        ("0,7,1", [0]),
        ("1,1", [1]),
        ("-1", []),
        (" 1 , 2 ", [1, 2]),
    ],
)
def test_visible(allowed: str | None, left: list[int]) -> None:
    assert visible(["GPU-a", "GPU-b", "GPU-c"], allowed) == left


def test_no_driver_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEVICE_FILES", (tmp_path / "absent",))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setitem(sys.modules, "pynvml", Nvml([Card()]))
    assert driver() is None
    assert gpus() == ()


def test_a_driver_that_does_not_answer_is_no_gpu(here: pytest.MonkeyPatch) -> None:
    here.setitem(sys.modules, "pynvml", Nvml([Card()], broken=True))
    assert gpus() == ()
    here.setitem(sys.modules, "pynvml", None)
    assert gpus() == ()


def test_memory_that_the_driver_does_not_tell(here: pytest.MonkeyPatch) -> None:
    here.setitem(sys.modules, "pynvml", Nvml([Card()], silent=True))
    assert [(g.memory, g.free) for g in gpus()] == [(0, 0)]
    assert batch_rows(gpus()) == 8
    assert compute_type(gpus(), 3 * GIB) == "float16"


@pytest.mark.parametrize(
    ("chosen", "weights", "expected"),
    [
        ([gpu(80, 79, (9, 0))], 3 * GIB, "float16"),
        ([gpu(8, 7, (7, 5))], 3 * GIB, "float16"),
        ([gpu(6, 4, (8, 6))], 3 * GIB, "int8_float16"),
        ([gpu(80, 79), gpu(6, 4)], 3 * GIB, "int8_float16"),  # the smallest decides
        ([gpu(8, 8, (6, 1))], 3 * GIB, "int8_float32"),
        ([gpu(8, 8, (5, 2))], 3 * GIB, "float32"),
        ([], 3 * GIB, "float16"),
    ],
)
def test_number_formats(chosen: list[Gpu], weights: int, expected: str) -> None:
    assert compute_type(chosen, weights) == expected


@pytest.mark.parametrize(
    ("memory", "rows"), [(4, 2), (8, 2), (12, 5), (16, 8), (24, 13), (40, 24), (80, 32), (141, 32)]
)
def test_rows_of_a_batch(memory: float, rows: int) -> None:
    assert batch_rows([gpu(memory, memory)]) == rows
    assert batch_rows([gpu(141, 141), gpu(memory, memory)]) == rows
