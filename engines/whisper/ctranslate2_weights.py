"""The arrays of a CTranslate2 model file (`model.bin`), by name.

The format is that of `ModelSpec.save` in CTranslate2 (python/ctranslate2/specs/model_spec.py), version 6: for
each array its name, shape, type, and bytes; integers are little-endian.

Law: reads one file; nothing is computed with the arrays.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.whisper.file_matrix import FileMatrix

FORMAT_VERSION = 6
SPECIFICATION = ("WhisperSpec", 3)
"""Name and revision of the layout of models."""
TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
"""The types of arrays, by their numbers in the file; bfloat16, which NumPy lacks, is the next one."""
MOST_ARRAYS = 100_000
MOST_DIMENSIONS = 8


class UnknownLayout(Exception):
    """The file is not what this module can read."""


class _ModelFile:
    """Reads the parts of the file in their order."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.file = os.dup(file.fileno())
        # Not at exit, when threads may still read.
        weakref.finalize(self.pages, os.close, self.file).atexit = False
        self._at = 0

    def number(self, kind: str) -> int:
        form = struct.Struct(f"<{kind}")
        return int(form.unpack_from(self.pages, self._skip(form.size))[0])

    def text(self) -> str:
        size = self.number("H")
        at = self._skip(size)
        return self.pages[at : at + size].rstrip(b"\0").decode("ascii")

    def array(self) -> NDArray[Any]:
        rank = self.number("B")
        if rank > MOST_DIMENSIONS:
            raise UnknownLayout(f"an array has {rank} dimensions")
        shape = [self.number("I") for _ in range(rank)]
        kind = self.number("B")
        if kind >= len(TYPES):
            raise UnknownLayout(f"an array has the type {kind}")
        count, rest = divmod(self.number("I"), np.dtype(TYPES[kind]).itemsize)
        if rest:
            raise UnknownLayout("an array ends within a number")
        at = self._skip(count * np.dtype(TYPES[kind]).itemsize)
        return np.frombuffer(self.pages, TYPES[kind], count, at).reshape(shape)

    def _skip(self, count: int) -> int:
        """Goes on by so many bytes; returns where they begin."""
        at = self._at
        if at + count > len(self.pages):
            raise UnknownLayout("the file ends too early")
        self._at += count
        return at


class FileArrays(dict[str, NDArray[Any]]):
    """The arrays of a file by their names, and the pages of the file that they are."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], read: _ModelFile) -> None:
        super().__init__(arrays)
        self._pages, self._file = read.pages, read.file
        self._begin = np.frombuffer(read.pages, np.uint8).ctypes.data

    def rows(self, name: str, numbers: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Some rows of a matrix: (..., columns). They are read by calls and not through the mapped file.
        There, the kernel may load two megabytes for a single row, so that soon the whole matrix is in memory.
        """
        matrix = self[name]
        if not hasattr(os, "pread") or numbers.max(initial=0) >= len(matrix):
            return np.asarray(matrix[numbers])
        first, size = matrix.ctypes.data - self._begin, matrix.strides[0]
        parts = (os.pread(self._file, size, first + size * int(number)) for number in numbers.flat)
        return np.frombuffer(b"".join(parts), matrix.dtype).reshape(*numbers.shape, -1)

    def evict(self) -> None:
        """Gives back the memory of what was looked at, which may be two megabytes for each row."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            self._pages.madvise(mmap.MADV_DONTNEED)


def read_arrays(path: Path) -> FileArrays:
    """The arrays by their names. They are pages of the file, which are read when they are looked at.

    Raises `UnknownLayout`.
    """
    try:
        reader = _ModelFile(path)
        if (version := reader.number("I")) != FORMAT_VERSION:
            raise UnknownLayout(f"the version is {version}")
        if (specification := (reader.text(), reader.number("I"))) != SPECIFICATION:
            raise UnknownLayout("the specification is {}, revision {}".format(*specification))
        if (count := reader.number("I")) > MOST_ARRAYS:
            raise UnknownLayout(f"{count} arrays")
        arrays = {reader.text(): reader.array() for _ in range(count)}
        for _ in range(2 * reader.number("I")):
            reader.text()  # other names of arrays
        found = FileArrays(arrays, reader)
        found.evict()  # the pages around the names of the arrays
        return found
    except OSError as wrong:
        raise UnknownLayout(f"the file cannot be read: {wrong.strerror}") from wrong
    except ValueError as wrong:
        raise UnknownLayout(str(wrong)) from wrong


class Weights:
    """Arrays of one part of a model as float32, whichever type the file has."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], part: str) -> None:
        """`part`: the first word of the names, such as `encoder`."""
        self._arrays = arrays
        self._part = part

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """The array of that name. Raises `UnknownLayout`."""
        array = self._array(name)
        if array.dtype == np.int8:
            scale = self._array(f"{name}_scale").reshape(-1, *[1] * (array.ndim - 1))
            return np.asarray(array / scale, np.float32)
        return array.astype(np.float32)

    def matrix(self, name: str) -> FileMatrix:
        """A matrix, of which nothing is read yet. Raises `UnknownLayout`."""
        array = self._array(name)
        if array.ndim != 2:
            raise UnknownLayout(f"{name} has {array.ndim} dimensions")
        divisors = self._array(f"{name}_scale").astype(np.float32) if array.dtype == np.int8 else None
        return FileMatrix(array, divisors)

    def rows(self, name: str, numbers: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Some rows of a matrix, as float32: (..., columns). Raises `UnknownLayout`."""
        some, arrays = self._array(name), self._arrays
        whole = f"{self._part}/{name}"
        some = arrays.rows(whole, numbers) if isinstance(arrays, FileArrays) else some[numbers]
        if some.dtype == np.int8:
            some = some / self._array(f"{name}_scale")[numbers][..., None]
        return np.asarray(some, np.float32)

    def shape(self, name: str) -> tuple[int, ...]:
        """The sizes of an array, which is not read. Raises `UnknownLayout`."""
        return self._array(name).shape

    def number(self, name: str) -> int:
        """An array of a single whole number. Raises `UnknownLayout`."""
        return int(self._array(name))

    def evict(self) -> None:
        """Gives back the memory of the file's pages, if the arrays are those of a file."""
        if isinstance(self._arrays, FileArrays):
            self._arrays.evict()

    @property
    def layers(self) -> int:
        """How many layers this part has."""
        layer = re.compile(rf"{self._part}/layer_(\d+)/")
        return len({found[1] for name in self._arrays if (found := layer.match(name))})

    def _array(self, name: str) -> NDArray[Any]:
        try:
            array = self._arrays[f"{self._part}/{name}"]
        except KeyError as missing:
            raise UnknownLayout(f"there is no {missing}") from missing
        if array.dtype != np.int8 and f"{self._part}/{name}_scale" in self._arrays:
            raise UnknownLayout(f"{name} is {array.dtype} with a scale")
        return array
