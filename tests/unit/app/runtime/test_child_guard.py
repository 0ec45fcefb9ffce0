"""What a child process says to the kernel about itself."""

from __future__ import annotations

import os
from typing import Any

import pytest

from app.runtime.child_guard import give_way


def test_a_sandbox_that_forbids_priorities_keeps_no_model_from_loading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError("not here")

    monkeypatch.setattr(os, "setpriority", refused)
    give_way()
