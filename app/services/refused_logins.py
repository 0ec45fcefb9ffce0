"""Refused logins in the audit: at most one row a minute, however many there are.

Law: bounded; of a refused request only the sender's address is kept.
"""

from __future__ import annotations

import time

from app.domain import AuditEntry, Caller
from app.store.audit import AuditLog

WINDOW_SECONDS = 60.0
MOST_ADDRESSES = 10
SERVER = Caller("", "server")
"""The caller in audit rows about the server itself."""


class RefusedLogins:
    """Counts refused logins. Used on the event loop only; closed before the audit."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._count = 0
        self._addresses: dict[str, None] = {}
        self._told = -WINDOW_SECONDS

    def note(self, address: str) -> None:
        """Counts a request that was refused because of its key. The first one is written at once."""
        self._count += 1
        if len(self._addresses) < MOST_ADDRESSES:
            self._addresses[address[:60]] = None
        if time.monotonic() - self._told >= WINDOW_SECONDS:
            self.close()

    def close(self) -> None:
        """Writes the refusals that were counted since the last row."""
        if not self._count:
            return
        details: dict[str, str | float | bool] = {
            "requests": self._count,
            "addresses": ", ".join(self._addresses),
        }
        self._audit.add(SERVER, AuditEntry("login.refuse", "", "refused", details))
        self._count, self._addresses, self._told = 0, {}, time.monotonic()
