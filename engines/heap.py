"""Returns freed memory of this process to the operating system. Law: does nothing if the C library is not
glibc.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

QUIET_SECONDS = 5.0
"""Seconds without work after which a process returns its freed memory."""


def return_free_memory() -> None:
    """Returns freed memory to the operating system.

    glibc keeps what was freed between blocks that are still in use. Loading a model frees about as much as
    it keeps (the file's arrays, the graph that is made of them), so the process would hold that twice.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any | None:
    """The function `malloc_trim` of glibc; None on other C libraries."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
