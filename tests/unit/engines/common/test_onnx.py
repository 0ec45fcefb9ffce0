"""On which device ONNX models run, with a fake ONNX Runtime."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from engines.common.onnx import CPU, CUDA, session, shrinking
from engines.errors import EngineError, EngineOutOfMemory, WeightsBroken, is_out_of_memory
from engines.types import EngineOptions


class Runtime:
    """Stands in for the module `onnxruntime`."""

    def __init__(self, *, built: bool = True, works: bool = True, fails: Exception | None = None) -> None:
        """`built`: whether it was built with CUDA. `works`: whether CUDA's libraries can be loaded; if
        not, a session runs on the CPU.
        """
        self.built, self.works, self.fails = built, works, fails
        self.preloaded = 0
        self.asked: list[Any] = []

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU] if self.built else [CPU]

    def preload_dlls(self) -> None:
        self.preloaded += 1

    def SessionOptions(self) -> Any:  # noqa: N802 - ONNX Runtime's names
        return SimpleNamespace(add_session_config_entry=lambda *_: None)

    def InferenceSession(self, _: object, __: object, *, providers: list[Any]) -> Any:  # noqa: N802
        if self.fails:
            raise self.fails
        self.asked = providers
        names = [one if isinstance(one, str) else one[0] for one in providers]
        return SimpleNamespace(get_providers=lambda: names if self.works else [CPU])


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(**facts: Any) -> Runtime:
        runtime = Runtime(**facts)
        monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
        return runtime

    return made


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_the_cpu_is_used_unless_a_gpu_is_demanded(pretend: Any, device: str) -> None:
    runtime = pretend()
    session(b"", EngineOptions(device=device))
    assert (runtime.asked, runtime.preloaded) == ([CPU], 0)


def test_a_gpu_that_is_demanded(pretend: Any) -> None:
    runtime = pretend()
    session(b"", EngineOptions(device="cuda", devices=(2,)))
    (name, chosen), last = runtime.asked
    assert (name, last, chosen["device_id"], runtime.preloaded) == (CUDA, CPU, "2", 1)


@pytest.mark.parametrize("facts", [{"built": False}, {"works": False}])
def test_a_gpu_that_cannot_be_used_is_an_error_and_not_the_cpu(pretend: Any, facts: dict[str, bool]) -> None:
    pretend(**facts)
    with pytest.raises(EngineError, match=r"cannot use one.*docs/gpu\.md"):
        session(b"", EngineOptions(device="cuda"))


def test_memory_that_ends_is_told_as_such(pretend: Any) -> None:
    pretend(fails=RuntimeError("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED"))
    with pytest.raises(RuntimeError) as caught:
        session(b"", EngineOptions(device="cuda"))
    assert is_out_of_memory(caught.value)
    assert not isinstance(caught.value, EngineOutOfMemory)
    pretend(fails=RuntimeError("invalid graph"))
    with pytest.raises(WeightsBroken):
        session(b"", EngineOptions(device="cuda"))


def test_a_run_on_a_cpu_gives_its_memory_back() -> None:
    run = shrinking(EngineOptions(device="cpu"))
    assert run is not None
    assert run.get_run_config_entry("memory.enable_memory_arena_shrinkage") == "cpu:0"
    assert shrinking(EngineOptions(device="cuda")) is None
