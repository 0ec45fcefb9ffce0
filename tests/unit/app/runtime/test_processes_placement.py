"""The environment variables of an engine's process."""

from __future__ import annotations

import os

import pytest

from app.runtime import processes_placement
from app.runtime.processes_placement import HEAP, glibc, heap_variables


@pytest.fixture(autouse=True)
def _a_small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*HEAP, "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(processes_placement, "cores", lambda: 2)
    monkeypatch.setattr(os, "confstr", lambda _: "glibc 2.36", raising=False)


@pytest.mark.parametrize(("cores", "kept"), [(1, True), (4, True), (5, False)])
def test_a_transcriber_keeps_one_heap_on_few_cores(
    cores: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes_placement, "cores", lambda: cores)
    assert heap_variables("transcription", "auto") == (HEAP if kept else {})
    assert heap_variables("transcription", "cuda") == heap_variables("speech", "cpu") == {}


@pytest.mark.parametrize("library", ["glibc 2.34", "glibc 2.9", "musl 1.2", "", "unknown", None])
def test_another_c_library_is_left_as_it_is(library: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "confstr", lambda _: library, raising=False)
    assert heap_variables("transcription", "cpu") == {}


def test_a_system_that_does_not_name_its_c_library_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "confstr", raising=False)
    assert glibc() == ()


def test_what_the_operator_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    assert "MALLOC_ARENA_MAX" not in heap_variables("transcription", "cpu")
    assert "MALLOC_TOP_PAD_" in heap_variables("transcription", "cpu")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=2")
    assert heap_variables("transcription", "cpu") == {}
