"""`Idempotency-Key`: a request that is sent again gets the answer of the first one; nothing is made twice.

Law: only for what creates something. Errors are not kept: a request that failed may be sent again. Between
the creation and the storing of its answer a server may die; then the key is free again after
`ABANDONED_SECONDS`, and the client should look whether the thing is there. A client that leaves while the
thing is written leaves it made, with its answer (`steps/uninterrupted_write`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from app.domain import Caller
from app.errors import ApiError, IdempotencyKeyInUse, IdempotencyKeyReused, InvalidValue
from app.store.idempotency import IdempotencyStore

Result = TypeVar("Result")
LONGEST_KEY = 255
ABANDONED_SECONDS = 900
"""If a server has not answered a request for so many seconds, it counts as dead, and the request may be made
again.
"""


class IdempotencyService:
    """Runs a request with an `Idempotency-Key` once; a repetition of it gets the stored answer."""

    def __init__(self, store: IdempotencyStore) -> None:
        self._store = store

    async def once(
        self,
        caller: Caller,
        key: str | None,
        parts: tuple[str | bytes, ...],
        create: Callable[[], Awaitable[dict[str, Any]]],
    ) -> tuple[dict[str, Any], bool]:
        """Runs `create` and returns its answer and False, or the stored answer of the first request with this
        key and True.

        `parts`: the data by which requests are compared. Raises `IdempotencyKeyReused` if the key came with
        other parts, `IdempotencyKeyInUse` while the first request is worked on, and what `create` raises.
        """
        if key is None:
            return await create(), False
        _check(key)
        fingerprint, claim = _fingerprint(parts), secrets.token_hex(16)
        now = int(time.time())
        claiming = self._store.claim(
            caller.project, key, fingerprint, claim, at=now, abandoned=now - ABANDONED_SECONDS
        )
        try:
            earlier = await _whole(claiming)
        except asyncio.CancelledError:  # the client has left; it may send the request again
            await self._give_up(caller, key, claim)
            raise
        if earlier is None:
            return await self._created(caller, key, claim, create), False
        if earlier.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        if earlier.answer is None:
            raise IdempotencyKeyInUse
        answer: dict[str, Any] = json.loads(earlier.answer)
        return answer, True

    async def _created(
        self, caller: Caller, key: str, claim: str, create: Callable[[], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        try:
            made = await create()
        except BaseException:
            await self._give_up(caller, key, claim)
            raise
        with suppress(ApiError):  # the thing was created; without a stored answer the key becomes free later
            await _whole(self._store.answer(caller.project, key, claim, json.dumps(made)))
        return made

    async def _give_up(self, caller: Caller, key: str, claim: str) -> None:
        with suppress(ApiError):
            await _whole(self._store.give_up(caller.project, key, claim))


async def _whole(write: Coroutine[Any, Any, Result]) -> Result:
    """Finishes a write even if the caller is cancelled, and cancels the caller only then: otherwise nobody
    could know whether the write took place.
    """
    writing = asyncio.ensure_future(write)
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing})
        if not writing.cancelled():
            writing.exception()  # marks the exception as retrieved, so that asyncio does not log it
        raise


def _check(key: str) -> None:
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise InvalidValue(f"'Idempotency-Key' has 1 to {LONGEST_KEY} printable ASCII characters.")


def _fingerprint(parts: tuple[str | bytes, ...]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
