"""Three different messages for a library that cannot be imported: it is absent, it is broken, or memory ran
out.
"""

from __future__ import annotations

import errno

import pytest

from engines.errors import (
    EngineError,
    EngineMissing,
    EngineOutOfMemory,
    LibraryBroken,
    import_failure,
    is_device_lost,
    is_out_of_memory,
)


def test_a_library_that_is_absent() -> None:
    failure = import_failure(ModuleNotFoundError("No module named 'torch'"), "pyannote", "diarization")
    assert isinstance(failure, EngineMissing)


def test_a_library_that_is_there_but_broken() -> None:
    failure = import_failure(ImportError("libcudart.so.12: no such symbol"), "pyannote", "diarization")
    assert isinstance(failure, LibraryBroken)
    assert "not installed" not in str(failure)


@pytest.mark.parametrize(
    "failure",
    [
        ImportError("libonnx.so: failed to map segment from shared object"),
        ImportError("libtorch.so: cannot allocate memory in static TLS block"),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA failed with error out of memory"),
        RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),
    ],
)
def test_memory_that_was_refused(failure: Exception) -> None:
    assert is_out_of_memory(failure)
    told = EngineError("cannot be loaded")
    told.__cause__ = failure
    assert is_out_of_memory(told), "also behind another failure"
    if isinstance(failure, ImportError):
        assert isinstance(import_failure(failure, "silero", "whisper"), EngineOutOfMemory)


def test_a_client_who_writes_of_memory_is_not_believed() -> None:
    assert not is_out_of_memory(ValueError("the prompt: out of memory"))
    assert not is_out_of_memory(EngineError("There is no voice `out of memory`."))


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        ("CUDA failed with error an illegal memory access was encountered", True),
        ("CUDA failed with error unspecified launch failure", True),
        ("CUDA failed with error uncorrectable ECC error encountered", True),
        ("CUDA failed with error unknown error", True),
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", True),
        ("CUDA failed with error out of memory", False),
        ("CUDA failed with error invalid argument", False),
        ("an illegal instruction of the user", False),
    ],
)
def test_a_gpu_that_is_lost(message: str, lost: bool) -> None:
    assert is_device_lost(RuntimeError(message)) is lost
    assert not is_device_lost(ValueError(message)), "it may quote a client's text"
