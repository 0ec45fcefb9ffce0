"""Client secrets: limited in number and in memory, for each key too; expired ones make room for new ones."""

from __future__ import annotations

import tracemalloc
from typing import cast

import pytest

from app.domain import Caller
from app.domain.live import LiveSettings
from app.errors import Overloaded
from app.services import client_secrets as module
from app.services.client_secrets import ClientSecretService
from app.services.keys import KeyService

ME = Caller("p", "key_1")
PLAIN = LiveSettings(model="whisper-1")


def wordy(number: int) -> LiveSettings:
    """Settings as large as a request may be, of which no two share a text."""
    return LiveSettings(model="whisper-1", keywords=tuple(f"{number} {k} " + "x" * 9_990 for k in range(99)))


def service(most: int = 10_000) -> ClientSecretService:
    return ClientSecretService(cast("KeyService", None), most)


def test_one_key_cannot_take_all_secrets() -> None:
    secrets = service(8)
    greedy, other = Caller("p", "key_1"), Caller("p", "key_2")
    for _ in range(2):
        secrets.create(greedy, PLAIN, 600)
    with pytest.raises(Overloaded):
        secrets.create(greedy, PLAIN, 600)
    for _ in range(2):
        secrets.create(other, PLAIN, 600)


def test_secrets_that_have_ended_make_place() -> None:
    secrets = service(1)
    for _ in range(3):
        secrets.create(ME, PLAIN, -1)


def test_large_secrets_take_a_bounded_part_of_the_memory_and_one_key_a_share_of_it() -> None:
    secrets = service()
    tracemalloc.start()
    try:
        refused = 0
        for number in range(module.MOST_BYTES // 1_000_000 + 20):
            try:
                secrets.create(Caller("p", f"key_{number % 8}"), wordy(number), 600)
            except Overloaded:
                refused += 1
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 19 <= refused <= 21
    assert 0.9 * module.MOST_BYTES < held < 1.1 * module.MOST_BYTES
    secrets.create(Caller("p", "key_9"), PLAIN, 600)  # a small one still fits
    alone = service()
    share = module.MOST_BYTES // module.MEMORY_SHARES // 1_010_000
    for number in range(share):
        alone.create(ME, wordy(number), 600)
    with pytest.raises(Overloaded):
        alone.create(ME, wordy(share), 600)


def test_the_memory_of_secrets_that_have_ended_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("app.services.client_secrets.time.time", lambda: now)
    monkeypatch.setattr(module, "MOST_BYTES", module.MEMORY_SHARES * 2_500_000)
    secrets = service()
    secrets.create(ME, wordy(1), 600)
    secrets.create(ME, wordy(2), 600)
    with pytest.raises(Overloaded):
        secrets.create(ME, wordy(3), 600)
    now += 600
    secrets.create(ME, wordy(4), 600)
    secrets.create(ME, wordy(5), 600)
