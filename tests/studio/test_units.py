"""The pure modules of the page, tested by Node's own test runner."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import ROOT
from tests.support.node import BIN

UNIT = ROOT / "tests/studio/unit"


@pytest.mark.parametrize("path", sorted(UNIT.glob("*.test.mjs")), ids=lambda path: path.name)
def test_units(path: object) -> None:
    done = subprocess.run(
        [BIN / "node", "--test", "--test-reporter=spec", str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fail 0" in done.stdout
    assert "tests 0" not in done.stdout
