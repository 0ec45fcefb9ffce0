from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from engines.heap import _function, return_large_arrays

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


LARGE = """
import ctypes
from engines.heap import is_of_one_model, is_without_models, return_large_arrays

MINE
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd".split()]
    _fields_ += [(name, ctypes.c_size_t) for name in "usmblks fsmblks uordblks fordblks keepcost".split()]

libc.mallinfo2.restype = Counts

def apart(size):
    # Whether a new array of so many megabytes is one of those that go back when they are freed.
    before = libc.mallinfo2().hblks
    block = libc.malloc(size << 20)
    found = libc.mallinfo2().hblks - before
    libc.free(block)
    return found == 1

def return_larger_arrays():
    return_large_arrays(4 << 20)

for choose in (return_large_arrays, return_larger_arrays):
    choose()
    libc.free(libc.malloc(30 << 20))
    print(apart(2))
"""


@pytest.mark.skipif(_function("malloc_trim") is None, reason="only glibc returns memory on request")
def test_what_is_freed_between_blocks_in_use_is_returned() -> None:
    """It runs in its own process, because other threads of this one allocate memory too."""
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 40, done.stdout


@pytest.mark.skipif(_function("mallinfo2") is None, reason="only glibc is told how to return memory")
@pytest.mark.parametrize(
    ("own", "said", "apart"),
    [
        ({}, "is_of_one_model()", ["True", "False"]),
        ({}, "is_without_models()", ["True", "False"]),
        ({"MALLOC_MMAP_THRESHOLD_": "33554432"}, "is_of_one_model()", ["False"] * 2),
        ({"MALLOC_MMAP_THRESHOLD_": "33554432"}, "is_without_models()", ["False"] * 2),
        ({}, "", ["False"] * 2),
    ],
)
def test_in_a_process_of_one_model_large_arrays_are_returned_or_kept_unless_the_operator_has_chosen(
    own: dict[str, str], said: str, apart: list[str]
) -> None:
    program = LARGE.replace("MINE", said)
    command, environment = [sys.executable, "-c", program], {**os.environ, **own}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == apart


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    _function.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    try:
        assert _function("malloc_trim") is None
        return_large_arrays()
    finally:
        _function.cache_clear()
