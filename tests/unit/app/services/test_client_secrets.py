"""Client secrets are shared out among keys."""

from __future__ import annotations

from typing import cast

import pytest

from app.domain import Caller
from app.domain.live import LiveSettings
from app.errors import Overloaded
from app.services.client_secrets import ClientSecretService
from app.services.keys import KeyService


def test_one_key_cannot_take_all_secrets() -> None:
    service = ClientSecretService(cast("KeyService", None), most=8)
    greedy, other = Caller("p", "key_1"), Caller("p", "key_2")
    for _ in range(2):
        service.create(greedy, LiveSettings(model="whisper-1"), 600)
    with pytest.raises(Overloaded):
        service.create(greedy, LiveSettings(model="whisper-1"), 600)
    for _ in range(2):
        service.create(other, LiveSettings(model="whisper-1"), 600)


def test_secrets_that_have_ended_make_place() -> None:
    service = ClientSecretService(cast("KeyService", None), most=1)
    for _ in range(3):
        service.create(Caller("p", "key_1"), LiveSettings(model="whisper-1"), -1)
