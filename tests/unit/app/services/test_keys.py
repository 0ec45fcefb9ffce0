"""While the database fails, known callers may go on for a minute, and keys of the settings file always."""

from __future__ import annotations

import pytest

from app.domain import ApiKey, Caller
from app.errors import StorageUnavailable, Unauthorized
from app.services import keys as keys_module
from app.services.keys import KeyService
from app.store.keys import KeyStore


class FailingStore(KeyStore):
    """A store of keys in memory that fails when the test says so."""

    def __init__(self) -> None:
        self.rows: list[tuple[ApiKey, str]] = []
        self.fails = False

    async def add(self, key: ApiKey, digest: str, caller: Caller) -> None:
        self.rows.append((key, digest))

    async def all(self) -> list[tuple[ApiKey, str]]:
        if self.fails:
            raise StorageUnavailable
        return self.rows


@pytest.fixture(autouse=True)
def always_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "FRESH_SECONDS", 0.0)


async def test_known_callers_go_on_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FailingStore()
    keys = KeyService(store, [])
    _, secret = await keys.create("a")
    assert await keys.authenticate(f"Bearer {secret}")
    store.fails = True
    assert await keys.authenticate(f"Bearer {secret}")
    with pytest.raises(Unauthorized):
        await keys.authenticate("Bearer sk-another-one-entirely")
    monkeypatch.setattr(keys_module, "STALE_SECONDS", -1.0)
    with pytest.raises(StorageUnavailable):
        await keys.authenticate(f"Bearer {secret}")


async def test_nothing_is_open_where_nothing_is_known() -> None:
    store = FailingStore()
    store.fails = True
    with pytest.raises(StorageUnavailable):
        await KeyService(store, []).authenticate(None)


async def test_keys_of_the_settings_need_no_database() -> None:
    store = FailingStore()
    store.fails = True
    keys = KeyService(store, ["sk-fixed"])
    assert (await keys.authenticate("Bearer sk-fixed")).key == "settings"
    with pytest.raises(StorageUnavailable):
        await keys.authenticate("Bearer sk-other")
    with pytest.raises(Unauthorized):
        await keys.authenticate(None)
