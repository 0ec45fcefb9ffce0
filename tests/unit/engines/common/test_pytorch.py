"""PyTorch's threads are set once for the process, and in one file."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from engines.common import pytorch

ENGINES = Path(pytorch.__file__).parents[1]


def test_the_first_engine_decides(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import torch

    asked: list[int] = []
    monkeypatch.setattr(pytorch, "_count", None)
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    pytorch.set_threads(2)
    pytorch.set_threads(2)
    with caplog.at_level(logging.WARNING):
        pytorch.set_threads(4)
    assert asked == [2]
    assert "keeps its 2 threads" in caplog.text


def test_nobody_else_sets_them() -> None:
    users = [path.name for path in ENGINES.rglob("*.py") if "set_num_threads" in path.read_text()]
    assert users == ["pytorch.py"]
