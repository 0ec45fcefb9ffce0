"""The locks of the Node packages that the tests use: every archive has its hash, on every platform."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.node import PACKAGE, STUDIO_TOOLS


@pytest.mark.parametrize("folder", [PACKAGE, STUDIO_TOOLS], ids=lambda folder: folder.parent.name)
def test_every_package_has_a_hash(folder: Path) -> None:
    lock = json.loads((folder / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert [
        name for name, entry in packages.items() if not entry.get("integrity", "").startswith("sha")
    ] == []
