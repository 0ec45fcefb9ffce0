"""Checkpoints are read as data: whatever a file names, nothing of it runs."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.errors import WeightsBroken
from engines.speakers import safe_unpickling
from engines.types import Samples

VALUES = np.arange(6, dtype="<f4")


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def number(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little", signed=True)


def tensor(
    *, key: str = "0", count: int = 6, offset: int = 0, shape: tuple[int, ...] = (2, 3), strides: Any = (3, 1)
) -> bytes:
    """The opcodes that PyTorch writes for a tensor."""
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(count) + b"tQ"
    )
    sizes = b"(" + b"".join(map(number, shape)) + b"t"
    steps = b"(" + b"".join(map(number, strides)) + b"t"
    arguments = b"(" + storage + number(offset) + sizes + steps + b"\x89ccollections\nOrderedDict\n)Rt"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def checkpoint_of(value: bytes) -> bytes:
    return b"\x80\x02}" + text("weight") + value + b"s."


def write(
    path: Path, program: bytes, values: Samples = VALUES, compression: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", values.tobytes())
    return path


def test_tensors_become_arrays(tmp_path: Path) -> None:
    read = safe_unpickling.read(write(tmp_path / "a.pt", checkpoint_of(tensor())))
    assert list(read) == ["weight"]
    np.testing.assert_array_equal(read["weight"], VALUES.reshape(2, 3))
    part = safe_unpickling.read(
        write(tmp_path / "b.pt", checkpoint_of(tensor(offset=2, shape=(4,), strides=(1,))))
    )
    np.testing.assert_array_equal(part["weight"], VALUES[2:])


def test_plain_values(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, True], "b": {"c": (1, "x")}, "d": 1 << 40}
    assert safe_unpickling.read(write(tmp_path / "a.pt", pickle.dumps(value, 2))) == value


class Dangerous:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(6))
def test_a_class_that_no_model_needs_is_named_and_not_called(tmp_path: Path, protocol: int) -> None:
    trap = tmp_path / "made"
    path = write(tmp_path / "a.pt", pickle.dumps({"weight": Dangerous(trap)}, protocol))
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(path)
    assert not trap.exists()


def test_the_answer_says_what_was_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsBroken, match=r"posix\.mkdir|nt\.mkdir"):
        safe_unpickling.read(write(tmp_path / "a.pt", pickle.dumps(Dangerous(tmp_path / "x"), 2)))


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b".",
        b"\x80\x02",
        b"\x80\x02}",
        b"\x80\x02t.",
        b"\x80\x02\x85.",
        b"\x80\x02K\x01K\x02s.",
        b"\x80\x02]K\x01e.",
        b"\x80\x02h\x05.",
        b"\x80\x02)Q.",
        b"\x80\x02K\x01K\x02R.",
        b"\x80\x02ccollections\nOrderedDict\n(K\x01tR.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02cos\nsystem\n.",
        b"\x80\x02(cos\nsystem\ni.",
        b"\x82\x01.",
        checkpoint_of(tensor())[:-40],
    ],
)
def test_programs_that_are_none(tmp_path: Path, program: bytes) -> None:
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(write(tmp_path / "a.pt", program))


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (2, 4), "strides": (4, 1)},
        {"offset": 1},
        {"offset": -1},
        {"shape": (-2, -3)},
        {"strides": (1, 2)},
        {"shape": (1 << 20, 1 << 20), "strides": (0, 0)},
        {"key": "1"},
        {"count": 7},
    ],
)
def test_tensors_outside_their_storage(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(write(tmp_path / "a.pt", checkpoint_of(tensor(**wrong))))


def test_keys_are_text_or_numbers(tmp_path: Path) -> None:
    """Deep tuples as keys would take endless time to hash."""
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(write(tmp_path / "a.pt", b"\x80\x02})K\x01s."))


def test_files_that_are_no_archives(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.pt", checkpoint_of(tensor())).read_bytes()
    for number, data in enumerate(
        (b"", b"no weights", whole[:-30], whole[: len(whole) // 2], pickle.dumps({}))
    ):
        path = tmp_path / f"{number}.pt"
        path.write_bytes(data)
        with pytest.raises(WeightsBroken):
            safe_unpickling.read(path)
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(tmp_path / "absent.pt")


def test_damaged_bytes_are_found_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pt", checkpoint_of(tensor()))
    data = bytearray(path.read_bytes())
    data[data.index(VALUES.tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(path)


def test_what_is_compressed_or_too_large_is_not_unpacked(tmp_path: Path) -> None:
    bomb = write(tmp_path / "a.pt", checkpoint_of(tensor()), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(bomb)
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(write(tmp_path / "b.pt", b"\x80\x02" + b"N" * safe_unpickling.PICKLE_BYTES))
    path = write(tmp_path / "c.pt", checkpoint_of(tensor()))
    assert safe_unpickling.read(path, most=VALUES.nbytes)
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(path, most=VALUES.nbytes - 1)


def test_an_archive_without_a_program(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("archive/other.pkl", b"")
    with pytest.raises(WeightsBroken):
        safe_unpickling.read(tmp_path / "a.pt")
