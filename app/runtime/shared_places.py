"""Places that all clients share, of which one key may take a part only. Used from the event loop only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import Overloaded
from app.runtime.admission import Admission, Permit

SOON_SECONDS = 1
"""`Retry-After` for a key that has all of its places: they become free one after the other."""


class SharedPlaces:
    """An admission with a bound for each key."""

    def __init__(self, admission: Admission, *, most: int) -> None:
        """`most`: places of one key at once."""
        self._admission = admission
        self._most = most
        self._taken: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Places that are taken."""
        return self._admission.count

    @contextmanager
    def admit(self, key: str) -> Iterator[Permit]:
        """A place for one request of the key with the id `key`. Raises `Overloaded` or `ShuttingDown`."""
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
