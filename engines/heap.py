"""Returns freed memory of this process to the operating system.

Law: does nothing if the C library is not glibc.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

QUIET_SECONDS = 5.0
"""Seconds without work after which a process returns its freed memory."""
LARGE_BYTES = 1024 * 1024
SOUND_BYTES = 256 * 1024
"""Four seconds of sound."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""The numbers of these parameters in glibc's `malloc.h`."""
OPERATORS_CHOICES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
"""The environment variables by which glibc can be told the same before the process starts."""


def return_free_memory() -> None:
    """Returns freed memory to the operating system.

    glibc keeps what was freed between blocks that are still in use. Loading a model frees about as much as
    it keeps (the file's arrays, the graph that is made of them), so the process would hold that twice.
    """
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


class _Process:
    """What is known of this process."""

    chooses = False
    """Whether the heap may be told what to keep."""


def is_of_one_model() -> None:
    """Says that one model has this process for itself. Only then is its heap told what to keep: a library
    that makes large arrays all the time would be slower beside.
    """
    _Process.chooses = True


def is_without_models() -> None:
    """Says that this process runs no model, and arrays of some seconds of sound are made to wait for one:
    they go back to the operating system when they are freed.
    """
    _Process.chooses = True
    return_large_arrays(SOUND_BYTES)


def return_large_arrays(least: int = LARGE_BYTES) -> None:
    """From now on, arrays of at least so many bytes go back to the operating system when they are freed.

    Otherwise glibc comes to keep ever larger ones. Between arrays that stay, most of that space is never used
    again.
    """
    mallopt = _function("mallopt")
    chosen = any(choice in os.environ for choice in OPERATORS_CHOICES)
    if mallopt is not None and _Process.chooses and not chosen:
        mallopt(M_MMAP_THRESHOLD, least)
        mallopt(M_TRIM_THRESHOLD, 2 * least)  # as glibc does by itself


@cache
def _function(name: str) -> Any | None:
    """A function of glibc; None on other C libraries."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
