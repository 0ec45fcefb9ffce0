"""Client secrets: short-lived keys for browsers, which open live sessions and nothing else.

Law: kept in this process's memory, as hashes; a secret ends with its time or with the key that made it.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
import time
from collections import Counter
from dataclasses import dataclass

from app.domain import Caller
from app.domain.live import LiveSettings
from app.errors import Overloaded, Unauthorized
from app.services.keys import KeyService

PREFIX = "ek_"
MOST_BYTES = 64 * 2**20
"""The most bytes of memory that the texts of all secrets together may take: prompts and keywords, of which
one secret may have a megabyte."""
MEMORY_SHARES = 4
"""The secrets of one key may be at most this fraction (1/4) of all secrets, in number and in memory."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client secret: who made it, and how its sessions begin."""

    caller: Caller
    """The caller who made it."""
    settings: LiveSettings
    """The settings that its sessions begin with."""
    expires_at: int
    """Unix time at which it expires."""
    size: int
    """Bytes of memory that its texts take."""


class ClientSecretService:
    """Makes client secrets, and finds the secret that a request has sent."""

    def __init__(self, keys: KeyService, most: int) -> None:
        """`most`: the most secrets that may be valid at the same time."""
        self._keys = keys
        self._most = most
        self._secrets: dict[str, ClientSecret] = {}
        self._numbers: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()  # bytes of the secrets of each account

    def create(self, caller: Caller, settings: LiveSettings, seconds: int) -> tuple[str, ClientSecret]:
        """Makes a secret. Raises `Overloaded` if too many secrets are valid, in all or of this key, or if
        their texts are too long together.
        """
        value = PREFIX + secrets.token_urlsafe(32)
        made = ClientSecret(caller, settings, int(time.time()) + seconds, _size(settings))
        if not self._has_room(made):
            self._forget_old()
            if not self._has_room(made):
                raise Overloaded(60)
        self._secrets[_digest(value)] = made
        self._count(made)
        return value, made

    async def find(self, value: str) -> ClientSecret:
        """The secret with this value. Raises `Unauthorized` if there is none, or if it has expired."""
        found = self._secrets.get(_digest(value))
        if found is None or found.expires_at <= time.time() or not await self._keys.knows(found.caller):
            raise Unauthorized("The client secret is wrong or has expired.", code="invalid_api_key")
        return found

    def _has_room(self, made: ClientSecret) -> bool:
        account = made.caller.account
        share = max(1, self._most // MEMORY_SHARES)
        return (
            len(self._secrets) < self._most
            and self._numbers[account] < share
            and self._sizes.total() + made.size <= MOST_BYTES
            and self._sizes[account] + made.size <= MOST_BYTES // MEMORY_SHARES
        )

    def _forget_old(self) -> None:
        now = time.time()
        self._secrets = {name: one for name, one in self._secrets.items() if one.expires_at > now}
        self._numbers.clear()
        self._sizes.clear()
        for one in self._secrets.values():
            self._count(one)

    def _count(self, one: ClientSecret) -> None:
        self._numbers[one.caller.account] += 1
        self._sizes[one.caller.account] += one.size


def _size(settings: LiveSettings) -> int:
    texts = (settings.model, settings.prompt, *settings.keywords, *settings.languages)
    return sum(map(sys.getsizeof, texts))


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="replace")).hexdigest()
