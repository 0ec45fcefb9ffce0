"""Migrations: upgrade, downgrade and the current revision.

Law: Alembic is imported here and in `migrations` alone, and only when it is used.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from app.store.database import Database, DatabaseError, prepared
from app.store.migration_lock import migration_lock
from app.store.schema_check import readable, revision_of
from app.store.sqlite_file import sqlite_file
from app.store.tables import HEAD

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from alembic.config import Config

PR_SET_PDEATHSIG = 1
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Brings the database's schema up to a revision; the folder of an SQLite file is made.

    A database that a newer version has migrated, and that this version can read, stays as it is. Of several
    processes at once, one migrates and the others wait for it. Raises `DatabaseError`.
    """
    from alembic import command

    if file := sqlite_file(make_url(prepared(url))):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as wrong:
            raise DatabaseError(f"The folder {file.parent} cannot be made: {wrong.strerror}.") from None
    with _told(revision), migration_lock(url):
        if revision == "head" and _is_readable(url):
            return
        command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Takes the database's schema back to a revision; `base` is an empty database.

    Raises `DatabaseError`.
    """
    from alembic import command

    if asyncio.run(_revision(url)) is None:
        raise DatabaseError("The database is empty, so there is nothing to take back.")
    if revision not in _known():
        raise _no_way(revision)
    with _told(revision), migration_lock(url):
        command.downgrade(_config(url), revision)


def newest() -> str:
    """The revision at the end of the migrations folder."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def _known() -> set[str]:
    """Every revision that a database can be taken back to. Alembic itself takes more notations, and fails
    at some that it does not know.
    """
    from alembic.script import ScriptDirectory

    return {"base", *(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())}


def upgrade_if_needed(url: str, run: Callable[[str], None] = upgrade) -> None:
    """Brings the schema up to date; without work to do Alembic is not even imported."""
    if asyncio.run(_revision(url)) != HEAD:
        run(url)


def upgrade_in_a_copy(url: str) -> None:
    """`upgrade` in a copy of this process, which must have one thread, because Alembic and what it imports
    would stay, with 11 MB. Raises `DatabaseError`.
    """
    if sys.platform != "linux":  # elsewhere, libraries of the system may not survive a fork
        upgrade(url)
        return
    context = get_context("fork")
    told, teller = context.Pipe(duplex=False)
    copy = context.Process(target=_upgrade_and_tell, args=(url, teller, os.getpid()))
    copy.start()
    teller.close()
    try:
        failure = told.recv()
    except EOFError:
        failure = DatabaseError("The process that changes the database's schema was ended.")
    except BaseException:  # Ctrl-C
        copy.terminate()
        raise
    finally:
        copy.join()
    if failure is not None:
        raise failure


def _upgrade_and_tell(url: str, teller: Connection, parent: int) -> None:
    """`upgrade` in a process that ends when its parent does, and sends how it failed, or None."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the parent tells of Ctrl-C
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return
    try:
        upgrade(url)
    except Exception as wrong:  # noqa: BLE001 - it is raised again where it is received
        teller.send(wrong)
    else:
        teller.send(None)


@contextmanager
def _told(revision: str) -> Iterator[None]:
    """Failures of a migration as `DatabaseError`."""
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except CommandError:
        raise _no_way(revision) from None
    except DBAPIError as wrong:
        raise DatabaseError(
            f"The database cannot be changed ({type(wrong.orig).__name__}). Check `storage.database_url`, "
            "its user's rights and, for SQLite, that the file can be written."
        ) from None


def _no_way(revision: str) -> DatabaseError:
    return DatabaseError(
        f"There is no revision `{revision[:40]}` that leads there. `antiphon db current` shows the "
        f"database's own; `base` is an empty database, the newest is {HEAD}."
    )


def _sync(url: str) -> str:
    return prepared(url).replace("sqlite+aiosqlite", "sqlite")


def _is_readable(url: str) -> bool:
    """Whether this version can use the database as it is."""
    engine = create_engine(_sync(url))
    try:
        with engine.connect() as connection:
            return readable(connection)
    finally:
        engine.dispose()


def _config(url: str) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = _sync(url)
    return config


async def _revision(url: str) -> str | None:
    database = Database(url)
    try:
        return await revision_of(database)
    finally:
        await database.close()
