"""A fake hub on this machine, and a store that knows one small model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.models.weights import WeightsStore
from tests.support.fake_hub import Hub, running_hub
from tests.support.toy_model import DATA, KNOWN


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsets the variable that switches the hub off: engines set it, and the hub's library reads it once, at
    its import.
    """
    for name in ("HF_TOKEN", "HF_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as made:
        made.files = {f"/us/toy/resolve/rev/{name}": data for name, data in DATA.items()}
        yield made


@pytest.fixture
def store(tmp_path: Path, hub: Hub) -> WeightsStore:
    return WeightsStore(tmp_path / "weights", hub=hub.url, known=KNOWN)
