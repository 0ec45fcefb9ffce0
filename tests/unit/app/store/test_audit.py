"""Audit rows that are written later: no request waits for them, and a lost row is logged."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from app.domain import AuditEntry, Caller
from app.store import audit as audit_module
from app.store import connect
from app.store.audit import AuditLog
from app.store.database import Database
from tests.support.migrated_database import migrated
from tests.support.voice_writer import audit
from tests.support.waiting import until

ME = Caller("mine", "key_1")


def entry(number: int) -> AuditEntry:
    return AuditEntry("voice.use", f"voice_{number}", "done", {"n": number})


async def test_rows_come_in_order_and_close_writes_what_waits(any_database: str) -> None:
    migrated(any_database)
    database = Database(any_database)
    log = AuditLog(database)
    for number in range(250):
        log.add(ME, entry(number))
    await log.close()
    assert [row.subject for row in audit(any_database, "mine")] == [f"voice_{n}" for n in range(250)]
    await database.close()


async def test_rows_are_written_without_being_asked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/antiphon.db"
    migrated(url)
    database = Database(url)
    log = AuditLog(database)
    log.add(ME, entry(1))
    await until(lambda: bool(audit(url, "mine")))
    log.add(ME, entry(2))
    await until(lambda: len(audit(url, "mine")) == 2)
    await log.close()
    await database.close()


async def test_a_locked_database_is_told_once_and_rows_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.01)
    monkeypatch.setattr(audit_module, "FIRST_PAUSE", 0.01)
    url = f"sqlite:///{tmp_path}/antiphon.db"
    migrated(url)
    database = Database(url)
    log = AuditLog(database)
    engine = create_engine(url)
    with caplog.at_level(logging.WARNING, "app.store.audit"):
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for number in range(3):
                log.add(ME, entry(number))
            await until(lambda: len(caplog.records) >= 1)
            connection.rollback()
        await until(lambda: len(audit(url, "mine")) == 3)
    engine.dispose()
    assert [
        record.getMessage().split(":")[0] for record in caplog.records if record.levelno >= logging.WARNING
    ] == ["audit rows cannot be written and wait in memory"]
    await log.close()
    await database.close()


async def test_what_finds_no_room_is_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit_module, "WAITING_ROWS", 2)
    database = Database(f"sqlite:///{tmp_path}/none.db")  # without a table: every write fails
    monkeypatch.setattr(AuditLog, "_write", _never)
    log = AuditLog(database)
    with caplog.at_level(logging.ERROR, "app.store.audit"):
        for number in range(3):
            log.add(ME, entry(number))
        assert [record.getMessage() for record in caplog.records if "subject=voice_2" in record.getMessage()]
        await log.close()
    lost = [record.getMessage() for record in caplog.records]
    assert len(lost) == 3
    assert all("action=voice.use" in line and "project=mine" in line for line in lost)
    await database.close()


async def _never(_: AuditLog) -> bool:
    return False
