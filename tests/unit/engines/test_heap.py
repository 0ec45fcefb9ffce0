from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from engines.heap import _malloc_trim

CHILD = """
import ctypes, os
from engines.heap import return_free_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def megabytes():
    with open("/proc/self/statm") as table:
        return int(table.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

blocks = [libc.malloc(64 << 10) for _ in range(800)]
for block in blocks:
    ctypes.memset(block, 1, 64 << 10)
for block in blocks[:-1]:  # the last one stays: without it, free() would shrink the heap itself
    libc.free(block)
before = megabytes()
return_free_memory()
print(before - megabytes())
"""


@pytest.mark.skipif(_malloc_trim() is None, reason="only glibc returns memory on request")
def test_what_is_freed_between_blocks_in_use_is_returned() -> None:
    """It runs in its own process, because other threads of this one allocate memory too."""
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 40, done.stdout


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    _malloc_trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    try:
        assert _malloc_trim() is None
    finally:
        _malloc_trim.cache_clear()
