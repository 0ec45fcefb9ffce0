"""Memory that the server shares with a child process, for the large arrays of one frame at a time.

Law: knows bytes, and no frames. The reader copies at once what it takes, so that its arrays never change
later. What a broken reader writes here can only make the memory look free or taken: its pages exist from
the start, and no process can change its size, which would end the other one by a signal.

Theory of operation: through a socket the kernel copies an array into many small blocks and wakes the reader
for each; here it is copied in and copied out. The first bytes hold the number of the last frame that the
reader has taken. While that is not the last one that the writer has put, frames go through the socket.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np

SHARED_BYTES = 2 << 20
"""Enough for the sound of a window of 30 seconds."""
NUMBER = struct.Struct("<Q")
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL if sys.platform == "linux" else 0
FIRST_BYTE = 64
"""Where the arrays begin."""


class SharedBuffer:
    """One end. The writer uses one thread at a time, and so does the reader."""

    def __init__(self, file: int) -> None:
        """`file`: descriptor of the memory. Raises `OSError`."""
        self._memory = mmap.mmap(file, SHARED_BYTES)
        self.file = file
        self._put = 0

    @classmethod
    def create(cls) -> SharedBuffer | None:
        """New memory; None where the system has none of this kind, or no more of it."""
        if sys.platform != "linux":
            return None
        with suppress(OSError):
            file = os.memfd_create("frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            try:
                os.posix_fallocate(file, 0, SHARED_BYTES)
                fcntl.fcntl(file, fcntl.F_ADD_SEALS, SEALS)
                return cls(file)
            except OSError:
                os.close(file)
        return None

    def close_file(self) -> None:
        """Closes the descriptor, when the other end has it. The memory stays."""
        os.close(self.file)

    def close(self) -> None:
        """Gives the memory back, of which nothing can be used after that."""
        self._memory.close()

    def takes(self, arrays: Sequence[memoryview]) -> bool:
        """Whether there are arrays that may be put now."""
        size = sum(array.nbytes for array in arrays)
        taken: int = NUMBER.unpack_from(self._memory)[0]
        return 0 < size <= SHARED_BYTES - FIRST_BYTE and taken == self._put

    def put(self, arrays: Sequence[memoryview]) -> int:
        """Copies arrays in, which `takes` has allowed. Returns the number that the reader needs."""
        at = FIRST_BYTE
        for array in arrays:
            self._memory[at : at + array.nbytes] = array.cast("B")
            at += array.nbytes
        self._put += 1
        return self._put

    def take(self, number: int, sizes: Sequence[int]) -> list[memoryview]:
        """Copies the arrays of the frame with this number. Raises `EOFError` if they cannot be there."""
        if sum(sizes) > SHARED_BYTES - FIRST_BYTE:
            raise EOFError
        arrays, at = [], FIRST_BYTE
        for size in sizes:
            arrays.append(np.frombuffer(self._memory, np.uint8, size, at).copy().data)
            at += size
        NUMBER.pack_into(self._memory, 0, number)
        return arrays


@contextmanager
def shared_with_child() -> Iterator[SharedBuffer | None]:
    """New memory for a process that is started within the block and inherits `file`; None where there is
    none.
    """
    shared = SharedBuffer.create()
    try:
        yield shared
    finally:
        if shared:
            shared.close_file()
