"""The memory of another process. Law: knows Linux's `/proc` and nothing of the app.

The file stays open, because it is read after each call, and opening it would take most of that time.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LINE_BYTES = 128


class ResidentMemory:
    """Reads how much memory a process has. Any thread may call it."""

    def __init__(self, pid: int) -> None:
        self._reading = (
            threading.Lock()
        )  # else the file could be closed, and its number reused, during a read
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> int:
        """Resident memory in bytes; 0 if the process has ended or the system does not report it."""
        with self._reading, suppress(OSError, ValueError, IndexError):
            if self._file is not None:
                return int(os.pread(self._file, LINE_BYTES, 0).split()[1]) * PAGE_BYTES
        return 0

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        with self._reading:
            if self._file is not None:
                os.close(self._file)
            self._file = None
