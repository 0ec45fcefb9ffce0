"""One upload, read by several decoders at once.

Law: each view has its own place in the file; the file itself is moved under a lock and nobody closes it here.
"""

from __future__ import annotations

import io
import threading
from typing import BinaryIO


class SharedFile:
    """A seekable file that is given out as independent views."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.size = file.seek(0, io.SEEK_END)

    def read_at(self, place: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(place)
            return self._file.read(size)

    def view(self) -> BinaryIO:
        """A reader from the start."""
        return io.BufferedReader(_View(self), buffer_size=1 << 16)


class _View(io.RawIOBase):
    def __init__(self, shared: SharedFile) -> None:
        self._shared = shared
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands in
        data = self._shared.read_at(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._shared.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        return self._place
