"""Arrays whose numbers are in a file, so that the operating system can take their memory back at any time.

OpenVINO keeps the weights that a network is made of, beside a copy in an order of its own, and hardly looks
at them again. In memory of the process they would stay until it ends.

Law: the file has no name and is gone with the arrays; where there can be none, the arrays are in memory.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class EvictableArrays:
    """Makes arrays of int8. Use it from one thread."""

    def __init__(self, beside: Path, size: int | None = None) -> None:
        """`beside`: a file; theirs is on its disk. `size`: at least that of all arrays together, the parts of
        pages between them included; None: that of the file.
        """
        self._at = 0
        self._map: mmap.mmap | None = None
        self._file = -1
        with suppress(OSError, ValueError, AttributeError):  # this system or disk has no files without a name
            size = size or beside.stat().st_size
            self._file = os.open(beside.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, size)
            self._map = mmap.mmap(self._file, size)

    def new(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        """An array for any numbers, whose memory is aligned for OpenVINO."""
        count = int(np.prod(shape))
        at = -(-self._at // mmap.PAGESIZE) * mmap.PAGESIZE
        if self._map is None or at + count > len(self._map) or not self._reserved(at, count):
            return np.empty(shape, np.int8)
        self._at = at + count
        return np.frombuffer(self._map, np.int8, count, at).reshape(shape)

    def evict(self) -> None:
        """Gives the memory back. Whoever looks at an array reads it from the file."""
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)

    def _reserved(self, at: int, count: int) -> bool:
        """Whether the disk has room: writing into memory of a file without would end the process."""
        try:
            os.posix_fallocate(self._file, at, count)
        except OSError:
            return False
        return True

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)
