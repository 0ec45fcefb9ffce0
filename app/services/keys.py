"""API keys: create, list, rotate, change, revoke, and check one at every request.

Law: a secret is shown once, when it is created. Valid keys are cached for a few seconds, so a revoked one may
work that long; while the database fails, the cache serves for a minute. Keys of the settings need none.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections.abc import Iterable

from app.domain import ApiKey, Caller, Grant
from app.errors import ApiError, MissingScope, Unauthorized
from app.store.keys import KeyStore

FRESH_SECONDS = 5.0
STALE_SECONDS = 60.0
"""Seconds for which cached keys stay valid while the database fails."""
DEFAULT_PROJECT = "default"
OPERATOR = Caller(DEFAULT_PROJECT, "cli")
"""The caller in the audit rows about keys, which are made and changed from the command line only."""


class KeyService:
    """API keys and the check of requests."""

    def __init__(self, store: KeyStore, settings_keys: Iterable[str]) -> None:
        self._store = store
        caller = Caller(DEFAULT_PROJECT, "settings")
        self._fixed = {_digest(key): caller for key in settings_keys}
        self._known: dict[str, Caller] = {}
        self._until = 0.0
        self._read: float | None = None
        """When the database answered last, as a time of the monotonic clock."""

    async def authenticate(self, header: str | None) -> Caller:
        """The caller of a request with this Authorization header.

        Raises `Unauthorized`, or `StorageUnavailable` where the database fails and nothing is cached.
        """
        if self._fixed and (caller := self._fixed.get(_digest(_bearer(header)))):
            return caller
        known = await self._valid()
        if not known:
            return Caller(DEFAULT_PROJECT, "open")
        secret = _bearer(header)
        valid = known.get(_digest(secret))
        if valid is None:
            raise Unauthorized(
                f"Incorrect API key provided: {masked(secret)}. The keys that this server accepts are made "
                "by its operator.",
                code="invalid_api_key",
            )
        if _has_expired(valid):
            raise Unauthorized(
                f"The API key {masked(secret)} expired on {_date(valid)}. The operator of this server can "
                "make a new one.",
                code="invalid_api_key",
            )
        return valid

    async def asks_for_keys(self) -> bool:
        """Whether a key is required: without any key in the database, the server is open."""
        return bool(await self._valid())

    async def knows(self, caller: Caller) -> bool:
        """Whether the key of a caller is still valid."""
        valid = await self._valid()
        if not valid:
            return caller.key == "open"
        return any(one.key == caller.key and not _has_expired(one) for one in valid.values())

    async def next_expiry(self) -> float:
        """The earliest expiry, in Unix time, of the valid keys that have no successor; infinite if none
        expires.
        """
        now = time.time()
        valid = [one for one in (await self._valid()).values() if not _has_expired(one)]
        last: dict[str, float] = {}
        for one in valid:
            end = math.inf if one.grant.expires is None else float(one.grant.expires)
            last[one.account] = max(end, last.get(one.account, now))
        return min(last.values(), default=math.inf)

    async def create(
        self, name: str, project: str = DEFAULT_PROJECT, grant: Grant | None = None
    ) -> tuple[ApiKey, str]:
        """Creates a key. Returns the key and its secret."""
        key, secret = _made(name, project, grant or Grant())
        await self._store.add(key, _digest(secret), OPERATOR)
        self._until = 0.0
        return key, secret

    async def rotate(self, old: ApiKey, overlap: int) -> tuple[ApiKey, str] | None:
        """Creates a key that replaces `old`, which stays valid for `overlap` seconds. The use of both is
        counted together.

        Returns None if `old` is not a valid key.
        """
        now = int(time.time())
        if old.grant.expires is not None and old.grant.expires <= now:
            return None
        until = now + overlap if old.grant.expires is None else min(now + overlap, old.grant.expires)
        key, secret = _made(old.name, old.project, old.grant, old.account)
        if not await self._store.replace(old.id, until, key, _digest(secret), OPERATOR):
            return None
        self._until = 0.0
        return key, secret

    async def change(self, key_id: str, grant: Grant) -> bool:
        """Gives a key other rights and limits. Returns False if there is no such valid key."""
        self._until = 0.0
        return await self._store.change(key_id, grant, OPERATOR)

    async def list(self) -> list[ApiKey]:
        return [key for key, _ in await self._store.all()]

    async def revoke(self, key_id: str) -> bool:
        """Revokes a key. Returns False if there is no such valid key."""
        self._until = 0.0
        return await self._store.revoke(key_id, int(time.time()), OPERATOR)

    async def _valid(self) -> dict[str, Caller]:
        """The callers of all keys that are not revoked, by the digest of the secret. Expired keys are
        included.
        """
        now = time.monotonic()
        if now < self._until:
            return self._known
        try:
            rows = await self._store.all()
        except ApiError:
            if self._read is None or now - self._read > STALE_SECONDS:
                raise
            self._until = now + FRESH_SECONDS
            return self._known
        stored = {
            digest: Caller(key.project, key.id, key.grant, key.counted_as)
            for key, digest in rows
            if key.revoked is None
        }
        # Revoked keys count: revoking the last key must not open the server.
        closed = {"": Caller("", "", Grant(scopes=frozenset()))} if rows and not stored else {}
        self._known = self._fixed | stored | closed
        self._read = now
        self._until = time.monotonic() + FRESH_SECONDS
        return self._known


def check_scope(caller: Caller, scopes: Iterable[str]) -> None:
    """Raises `MissingScope` unless the caller's key has one of `scopes`, or none is needed."""
    needed = tuple(scopes)
    if needed and not caller.grant.scopes & set(needed):
        raise MissingScope(" or ".join(f"`{scope}`" for scope in needed))


def masked(secret: str) -> str:
    """The start and the end of a key, enough for its owner to recognise it."""
    return f"{secret[:3]}***{secret[-4:]}" if len(secret) >= 16 else "***"


def _made(name: str, project: str, grant: Grant, counted_as: str = "") -> tuple[ApiKey, str]:
    secret = f"sk-{secrets.token_urlsafe(32)}"
    key = ApiKey(
        id=f"key_{secrets.token_hex(12)}",
        name=name,
        project=project,
        hint=secret[-4:],
        created=int(time.time()),
        grant=grant,
        counted_as=counted_as,
    )
    return key, secret


def _has_expired(caller: Caller) -> bool:
    return caller.grant.expires is not None and caller.grant.expires <= time.time()


def _date(caller: Caller) -> str:
    return time.strftime("%Y-%m-%d at %H:%M UTC", time.gmtime(caller.grant.expires or 0))


def _bearer(header: str | None) -> str:
    if header is None:
        raise Unauthorized(
            "You didn't provide an API key. You need to provide your API key in an Authorization header "
            "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
        )
    parts = header.split()
    if len(parts) != 2 or parts[0].lower() != "bearer":
        raise Unauthorized("The Authorization header must be `Bearer YOUR_KEY`.", code="invalid_api_key")
    return parts[1]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
