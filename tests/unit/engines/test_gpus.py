"""Simulated GPUs: what is read from the driver, and what is chosen for them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engines import gpus as module
from engines.gpus import (
    Driver,
    Gpu,
    alike,
    ask,
    batch_rows,
    compute_type,
    driver,
    gpus,
    obstacle,
    visible,
    worth_trying,
)
from tests.support.fake_nvml import GIB, Card, Nvml


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
        ("GPU", []),  # more than one identifier begins with this
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
    assert not worth_trying()


def test_a_driver_that_does_not_answer_is_no_gpu(here: pytest.MonkeyPatch) -> None:
    here.setitem(sys.modules, "pynvml", Nvml([Card()], broken=True))
    assert gpus() == ()
    here.setattr(sys, "platform", "linux")
    assert ask() == "Driver/library version mismatch"
    here.setitem(sys.modules, "pynvml", None)
    assert gpus() == ()
    assert "nvidia-ml-py" in str(ask())
    assert worth_trying()


@pytest.mark.parametrize(
    ("allowed", "worth"), [(None, True), ("0", True), ("", False), ("-1", False), ("MIG-GPU-0/1/0", True)]
)
def test_gpus_that_somebody_has_hidden(here: pytest.MonkeyPatch, allowed: str | None, worth: bool) -> None:
    """A name that is not understood here may be understood by CUDA."""
    here.setitem(sys.modules, "pynvml", Nvml([Card()]))
    if allowed is not None:
        here.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert worth_trying() is worth


DIVIDED = Card(
    uuid="GPU-b",
    name="NVIDIA A100",
    capability=(8, 0),
    parts=(
        Card(uuid="MIG-1", name="NVIDIA A100 MIG 3g.40gb", memory=40 * GIB),
        Card(uuid="MIG-2", name="NVIDIA A100 MIG 1g.10gb", memory=10 * GIB),
    ),
)


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (None, ["NVIDIA A100 MIG 3g.40gb"]),
        ("1", ["NVIDIA A100 MIG 3g.40gb"]),
        ("MIG-2", ["NVIDIA A100 MIG 1g.10gb"]),
        ("MIG-2,0", ["NVIDIA A100 MIG 1g.10gb"]),
        ("0", ["NVIDIA H100"]),
        ("2", []),  # parts have no numbers
        ("MIG-7", []),
    ],
)
def test_a_gpu_that_is_divided(here: pytest.MonkeyPatch, allowed: str | None, names: list[str]) -> None:
    """A process can use one part; without a choice, CUDA takes the first one, and no whole GPU beside it."""
    here.setitem(sys.modules, "pynvml", Nvml([Card(uuid="GPU-a"), DIVIDED]))
    if allowed is not None:
        here.setenv("CUDA_VISIBLE_DEVICES", allowed)
    found = gpus()
    assert [gpu.name for gpu in found] == names
    if names and "MIG" in names[0]:
        assert found[0].capability == (8, 0)
        assert found[0].memory in {40 * GIB, 10 * GIB}


@pytest.mark.parametrize(
    ("capability", "cuda", "words"),
    [
        ((9, 0), (12, 8), ""),
        ((9, 0), (12, 4), "for a, the driver 550 runs CUDA 12.4, and CUDA 12.8 is needed"),
        ((12, 0), (12, 8), ""),
        ((12, 0), (12, 4), "CUDA 12.8 is needed"),
        ((8, 9), (12, 0), ""),  # it runs the machine code for 8.6
        ((7, 5), (12, 0), ""),
        ((7, 5), (11, 8), "CUDA 12.0 is needed"),
        ((5, 2), (12, 8), "GPU 0 (a) is too old"),
        ((7, 0), (13, 0), ""),
    ],
)
def test_what_keeps_from_a_gpu(capability: tuple[int, int], cuda: tuple[int, int], words: str) -> None:
    told = obstacle(Driver(version="550", cuda=cuda, gpus=(gpu(80, 80, capability),)), [0])
    assert words in told
    assert bool(words) == bool(told)


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
        ([gpu(80, 79), gpu(6, 4)], 3 * GIB, "int8_float16"),  # the smallest GPU decides
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


@pytest.mark.parametrize(
    ("cards", "chosen"),
    [
        ([("H100", 80, 79)], (0,)),
        ([("H100", 80, 79)] * 4, (0, 1, 2, 3)),
        ([("H100", 80, 79), ("L4", 24, 23), ("H100", 80, 79)], (0, 2)),
        ([("H100", 80, 5), ("H100", 80, 79)], (1,)),  # another program uses the first GPU
        ([("H100", 80, 5), ("H100", 80, 5)], (0,)),
        ([("GB10", 0, 0)], (0,)),  # the driver does not report its memory
        ([], (0,)),
    ],
)
def test_gpus_where_nobody_has_chosen(cards: list[tuple[str, int, int]], chosen: tuple[int, ...]) -> None:
    found = [
        Gpu(index=at, name=name, memory=memory * GIB, free=free * GIB, capability=(9, 0))
        for at, (name, memory, free) in enumerate(cards)
    ]
    assert alike(found) == chosen
