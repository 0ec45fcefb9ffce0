"""A fixture that runs the command in an empty working folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Command


@pytest.fixture
def antiphon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    folder = tmp_path / "work"
    folder.mkdir()
    return Command(folder, monkeypatch, capsys)
