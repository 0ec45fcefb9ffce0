"""The environment variables of an engine's process."""

from __future__ import annotations

import os

import pytest

from app.runtime.processes_placement import HEAP, heap_variables


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HEAP:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("cores", "kept"), [(1, True), (4, True), (5, False), (None, True)])
def test_a_transcriber_keeps_one_heap_on_small_machines(
    cores: int | None, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert heap_variables("transcription") == (HEAP if kept else {})
    assert heap_variables("speech") == {}


def test_what_the_operator_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    assert "MALLOC_ARENA_MAX" not in heap_variables("transcription")
    assert "MALLOC_TOP_PAD_" in heap_variables("transcription")
