"""Arrays of which the system can take the memory back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from engines.common.evictable_arrays import EvictableArrays

MEGABYTE = 1024 * 1024


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    file = tmp_path / "model.bin"
    with file.open("wb") as made:
        made.truncate(64 * MEGABYTE)
    return file


def made_in(beside: Path) -> EvictableArrays:
    arrays = EvictableArrays(beside)
    if arrays._map is None:
        pytest.skip("the file system of the temporary folder does not know O_TMPFILE")
    return arrays


def resident() -> float:
    """Megabytes of files in the memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile", "RssShmem"))) / 1024


def test_numbers_are_the_same_after_their_memory_was_given_back(beside: Path) -> None:
    arrays = made_in(beside)
    random = np.random.default_rng(0)
    numbers = [random.integers(-127, 128, shape, np.int8) for shape in ((3, 5), (7, 4096), (50, MEGABYTE))]
    made = [arrays.new(one.shape) for one in numbers]
    for one, values in zip(made, numbers, strict=True):
        one[:] = values
    before = resident()
    arrays.evict()
    assert before - resident() > 40
    for one, values in zip(made, numbers, strict=True):
        assert np.array_equal(one, values)
    assert [file.name for file in beside.parent.iterdir()] == ["model.bin"]


def test_arrays_outlive_what_made_them(beside: Path) -> None:
    made = made_in(beside).new((2, 2))
    made[:] = 7
    assert made.tolist() == [[7, 7], [7, 7]]


def test_what_does_not_fit_is_in_memory(beside: Path) -> None:
    arrays = made_in(beside)
    made = [arrays.new((40, MEGABYTE)) for _ in range(2)]
    assert [one.base is not None for one in made] == [True, False]


@pytest.mark.parametrize("failing", ["open", "posix_fallocate"])
def test_without_room_on_the_disk_arrays_are_in_memory(
    failing: str, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, failing, refuse, raising=False)
    arrays = EvictableArrays(beside)
    made = arrays.new((2, 3))
    made[:] = 5
    arrays.evict()
    assert made.tolist() == [[5, 5, 5]] * 2


def test_without_the_file_beside_them_too(tmp_path: Path) -> None:
    assert EvictableArrays(tmp_path / "none").new((2, 3)).shape == (2, 3)
