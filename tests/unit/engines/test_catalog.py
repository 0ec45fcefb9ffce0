"""The catalogue of engines: finds them by name, and reads the entry points of packages only once."""

from __future__ import annotations

import importlib.metadata

import pytest

from engines import catalog
from engines.errors import EngineError


def test_installed_packages_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "piper" in catalog.names(catalog.SYNTHESIZERS)

    def again(**_: object) -> None:
        raise AssertionError("the metadata of all packages is read again")

    monkeypatch.setattr(catalog, "entry_points", again)
    monkeypatch.setattr(importlib.metadata, "entry_points", again)
    assert catalog.synthesizer("piper").COST > 0
    with pytest.raises(EngineError, match=r"known ones: .*piper"):
        catalog.synthesizer("nothing")
