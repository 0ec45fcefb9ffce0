"""Checks what docs/gpu.md and `engines.gpus` say about CTranslate2's package against the installed one."""

from __future__ import annotations

import platform
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import ctranslate2
import pytest

from engines.cuda_libraries import LIBRARIES
from engines.gpus import COMPILING_CUDA, MACHINE_CODE

FAT_BINARY = struct.pack("<I", 0xBA55ED50)
"""The mark before CUDA code for several GPUs."""
HEADER_BYTES = 16
PTX, MACHINE = 1, 2
PTX_OF_CUDA = {(8, 7): (12, 8), (8, 8): (12, 9), (9, 0): (13, 0)}
"""For each version of PTX, the code that a driver compiles: the first CUDA that supports it."""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="only this package of CTranslate2 for Linux has CUDA",
)


@pytest.fixture(scope="module")
def library() -> bytes:
    (file,) = (Path(ctranslate2.__file__).parents[1] / "ctranslate2.libs").glob("libctranslate2*.so*")
    return file.read_bytes()


def code(library: bytes) -> Iterator[tuple[int, tuple[int, int], tuple[int, int]]]:
    """Kind, version of the kind, and compute capability, of each piece of CUDA code."""
    at = library.find(FAT_BINARY)
    while at >= 0:
        header, size = struct.unpack_from("<HQ", library, at + 6)
        place, end = at + header, at + header + size
        while header == HEADER_BYTES and place < end:
            kind, _, piece, payload = struct.unpack_from("<HHIQ", library, place)
            minor, major, capability = struct.unpack_from("<HHI", library, place + 24)
            yield kind, (major, minor), divmod(capability, 10)
            place += piece + payload
        at = library.find(FAT_BINARY, at + len(FAT_BINARY))


def test_the_gpus_that_have_machine_code(library: bytes) -> None:
    found = {capability for kind, _, capability in code(library) if kind == MACHINE}
    assert tuple(sorted(found)) == MACHINE_CODE


def test_the_driver_that_can_compile_for_newer_gpus(library: bytes) -> None:
    versions = {version for kind, version, _ in code(library) if kind == PTX}
    assert [PTX_OF_CUDA[version] for version in versions] == [COMPILING_CUDA]


def test_the_libraries_that_are_opened_by_name(library: bytes) -> None:
    """Each is preloaded, or comes with the driver; the library for several machines is not opened here."""
    opened = {
        name.decode() for name in re.findall(rb"\0(lib(?:cu|nv|nccl)[A-Za-z0-9_]*\.so[.0-9]*)\0", library)
    }
    assert opened <= {name for _, name in LIBRARIES} | {"libcuda.so.1", "libnccl.so.2"}
    assert "libcublas.so.12" in opened
