"""A limit on requests at once that all clients share, and of which one key may take only a part. Used from
the event loop only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import Overloaded
from app.runtime.admission import Admission, Permit

SOON_SECONDS = 1
"""Seconds in `Retry-After` for a key that has reached its limit. The wait is short because its requests end
one after the other.
"""


class SharedPlaces:
    """Admits requests up to a limit for all keys together and a lower one for each key."""

    def __init__(self, admission: Admission, *, most: int) -> None:
        """`most`: requests of one key at once."""
        self._admission = admission
        self._most = most
        self._taken: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Number of admitted requests of all keys."""
        return self._admission.count

    @contextmanager
    def admit(self, key: str) -> Iterator[Permit]:
        """Admits one request of the key with the id `key`. Raises `Overloaded` or `ShuttingDown`."""
        if self._taken[key] >= self._most:
            raise Overloaded(SOON_SECONDS)
        with self._admission.admit() as permit:
            self._taken[key] += 1
            try:
                yield permit
            finally:
                self._taken[key] -= 1
                if not self._taken[key]:
                    del self._taken[key]
