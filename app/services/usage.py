"""Use by key: counted, bounded by the limits of the key, and shared with the other servers of the database.

Law: no request waits for the database, except for the first one of a key with limits, which asks what was
used before. Counts are written behind, once a second; while the database fails they wait in memory, and the
limits hold for what this server has counted.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress

from app.domain import Caller, UsageEntry
from app.errors import ApiError
from app.services.steps.key_limits import MINUTE_SECONDS, KeyAccount, beginning, month_of
from app.store.usage import UsageStore

log = logging.getLogger(__name__)
SYNC_SECONDS = 1.0
FIRST_SECONDS = 2.0
"""The most seconds that the first request of a key waits for its earlier use to be read."""
ASKED_SECONDS = 120.0
"""For so many seconds after the last request of a key with limits, this server still reads what the other
servers count for it.
"""
TIDY_SECONDS = 600.0


class UsageService:
    """The accounts of all keys. Used on the event loop only; one owner closes it before the database."""

    def __init__(self, store: UsageStore) -> None:
        self._store = store
        self._front = secrets.token_hex(8)
        self._accounts: dict[str, KeyAccount] = {}
        self._seen: dict[str, float] = {}
        """For each account, the time of its last request, by the monotonic clock."""
        self._told_running: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._failing = False
        self._lock = asyncio.Lock()
        """Held while earlier use is read and counted, so that nothing is written in between."""
        self._tidied = time.monotonic()

    async def account(self, caller: Caller) -> KeyAccount:
        """The account under which a request is counted."""
        account = self._accounts.get(caller.account)
        if account is None:
            account = self._accounts[caller.account] = KeyAccount(caller)
        account.limits = caller.grant.limits
        self._seen[account.name] = time.monotonic()
        if account.limited and not account.shared:
            with suppress(ApiError, TimeoutError):
                async with asyncio.timeout(FIRST_SECONDS), self._lock:
                    if not account.shared:
                        await self._share([account])
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        return account

    async def days(self, since: int) -> list[UsageEntry]:
        """The use of every account on each day, from the Unix time `since` on."""
        return await self._store.days(since)

    async def close(self) -> None:
        """Tries once to write the counts that are left."""
        self._closing.set()
        if self._task:
            await self._task
        if self._told_running:
            with suppress(ApiError):
                await self._store.leave(self._front)

    async def sync(self) -> None:
        """Writes the counts of this server, and reads those of all servers. Raises `ApiError`."""
        async with self._lock:
            await self._sync()

    async def _sync(self) -> None:
        accounts = list(self._accounts.values())
        entries = [entry for account in accounts for entry in account.take()]
        saved = False
        try:
            await self._store.add(entries, self._running(accounts), front=self._front, at=int(time.time()))
            saved = True
        finally:
            for account in accounts:
                if saved:
                    account.stored()
                else:
                    account.failed()
        if asked := [account for account in accounts if account.limited and self._is_recent(account)]:
            await self._share(asked)
        if time.monotonic() - self._tidied > TIDY_SECONDS:
            self._tidied = time.monotonic()
            await self._store.tidy(int(time.time()))

    async def _share(self, accounts: Sequence[KeyAccount]) -> None:
        now = time.time()
        minute, month = beginning(now, MINUTE_SECONDS), month_of(now)
        found = await self._store.shared(
            [account.name for account in accounts],
            front=self._front,
            minute=minute,
            month=month,
            at=int(now),
        )
        for account in accounts:
            account.share(found[account.name], minute, month)

    def _running(self, accounts: Sequence[KeyAccount]) -> dict[str, int]:
        """The number of running requests of each key that has a limit for it, zero too: the other servers
        must learn that a request has ended.
        """
        told = {
            account.name: account.running
            for account in accounts
            if account.limits.parallel and (account.running or account.name in self._told_running)
        }
        self._told_running = {name for name, running in told.items() if running}
        return told

    def _is_recent(self, account: KeyAccount) -> bool:
        asked = time.monotonic() - self._seen[account.name] < ASKED_SECONDS
        return asked or account.running > 0

    async def _run(self) -> None:
        """Runs until nothing is left to write and no account is left to read."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), SYNC_SECONDS)
            # asked before the write, because requests that are counted during the write need another one
            last = self._closing.is_set()
            try:
                await self.sync()
                self._failing = False
            except ApiError as failure:
                if not self._failing:
                    log.warning("the use of keys cannot be written and waits in memory: %s", failure.message)
                self._failing = True
            if last or not self._busy():
                return

    def _busy(self) -> bool:
        return any(
            account.unsaved or account.running or (account.limited and self._is_recent(account))
            for account in self._accounts.values()
        )
