"""Whether ONNX Runtime orders channels in blocks of sixteen is what it does itself."""

from __future__ import annotations

import numpy as np
import pytest

from engines.common import layout_probe
from engines.common.layout_probe import channels_are_in_blocks
from engines.errors import EngineError


class Answering:
    def __init__(self, numbers: np.ndarray) -> None:
        self._numbers = numbers

    def run(self, names: None, inputs: object) -> list[np.ndarray]:
        return [self._numbers]


def test_onnx_runtime_answers() -> None:
    assert channels_are_in_blocks() in (True, False)


@pytest.mark.parametrize("block", [8, 16, 32])
def test_only_blocks_of_sixteen_do(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ordered = np.arange(64).reshape(-1, block, 2).transpose(0, 2, 1)
    monkeypatch.setattr(layout_probe, "session", lambda *given, **options: Answering(ordered))
    assert channels_are_in_blocks() is (block == 16)


def test_without_such_operators_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **options: object) -> None:
        raise EngineError("no such operator")

    monkeypatch.setattr(layout_probe, "session", refuse)
    assert not channels_are_in_blocks()
