"""A database with the current schema, for tests that are not about migrations.

SQLite's is migrated once in each process and copied, because a migration takes as long as dozens of requests.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy.engine import make_url

from app.store.database import prepared
from app.store.migrations import upgrade
from app.store.sqlite_file import sqlite_file


def migrated(url: str) -> None:
    """Gives an empty database the current schema; one that has any schema is upgraded."""
    file = sqlite_file(make_url(prepared(url)))
    if file is None or file.exists():
        upgrade(url)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_sqlite())


@cache
def _sqlite() -> bytes:
    """The bytes of an SQLite file that was just migrated."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "antiphon.db"
        upgrade(f"sqlite:///{file}")
        assert not file.with_name(
            "antiphon.db-wal"
        ).exists()  # a write-ahead log would hold a part of the database
        return file.read_bytes()
