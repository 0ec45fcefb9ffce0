"""Client secrets: short-lived keys for browsers, which open live sessions and nothing else.

Law: kept in this process's memory, as hashes; a secret ends with its time or with the key that made it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from app.domain import Caller
from app.domain.live import LiveSettings
from app.errors import Overloaded, Unauthorized
from app.services.keys import KeyService

PREFIX = "ek_"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a secret stands for."""

    caller: Caller
    """Who made it."""
    settings: LiveSettings
    """The settings that its sessions begin with."""
    expires_at: int
    """Unix time."""


class ClientSecretService:
    """Makes secrets, and finds what a secret stands for."""

    def __init__(self, keys: KeyService, most: int) -> None:
        """`most`: secrets that may be valid at once."""
        self._keys = keys
        self._most = most
        self._secrets: dict[str, ClientSecret] = {}

    def create(self, caller: Caller, settings: LiveSettings, seconds: int) -> tuple[str, ClientSecret]:
        """A new secret. Raises `Overloaded` if too many are valid, or too many of this key's: a quarter."""
        share = max(1, self._most // 4)
        if len(self._secrets) >= share:
            self._forget_old()
            own = sum(one.caller.account == caller.account for one in self._secrets.values())
            if own >= share or len(self._secrets) >= self._most:
                raise Overloaded(60)
        value = PREFIX + secrets.token_urlsafe(32)
        made = ClientSecret(caller, settings, int(time.time()) + seconds)
        self._secrets[_digest(value)] = made
        return value, made

    async def find(self, value: str) -> ClientSecret:
        """What a secret stands for. Raises `Unauthorized`."""
        found = self._secrets.get(_digest(value))
        if found is None or found.expires_at <= time.time() or not await self._keys.knows(found.caller):
            raise Unauthorized("The client secret is wrong or has expired.", code="invalid_api_key")
        return found

    def _forget_old(self) -> None:
        now = time.time()
        self._secrets = {name: one for name, one in self._secrets.items() if one.expires_at > now}


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="replace")).hexdigest()
