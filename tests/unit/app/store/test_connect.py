"""Opening connections while other processes use the same file."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from app.errors import StorageUnavailable
from app.store import connect
from app.store.database import Database


def holder(file: Path, held: threading.Event, let_go: threading.Event) -> threading.Thread:
    """Another process's transaction in the file, which began before the file had a write-ahead log."""

    def run() -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("CREATE TABLE t (a)")
            other.execute("BEGIN IMMEDIATE")
            held.set()
            let_go.wait(30)
            other.execute("COMMIT")

    thread = threading.Thread(target=run)
    thread.start()
    held.wait(30)
    return thread


async def test_the_switch_to_the_write_ahead_log_waits_for_another_process(tmp_path: Path) -> None:
    held, let_go = threading.Event(), threading.Event()
    thread = holder(tmp_path / "a.db", held, let_go)
    database = Database(f"sqlite:///{tmp_path}/a.db")
    asyncio.get_running_loop().call_later(0.3, let_go.set)
    async with database.reading() as session:
        assert await session.scalar(text("PRAGMA journal_mode")) == "wal"
    await database.close()
    thread.join(30)


async def test_it_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.2)
    held, let_go = threading.Event(), threading.Event()
    thread = holder(tmp_path / "a.db", held, let_go)
    database = Database(f"sqlite:///{tmp_path}/a.db")
    with pytest.raises(StorageUnavailable):
        async with database.reading() as session:
            await session.execute(text("SELECT 1"))
    let_go.set()
    await database.close()
    thread.join(30)
