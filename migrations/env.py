"""Runs migrations on the database that `app.store.migrations` names.

Each migration says whether `older_code_works` beside it. It does if the migration only adds: tables, or
columns that are nullable or have a default in the database, which older code may ignore. From that, this
module notes in the table `schema_readers` which revisions' code can use the schema, in the transaction that
changes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import create_engine, delete, insert, inspect

from app.store.tables import Base, SchemaReaderRow

url = context.config.attributes.get("url", "sqlite://")


def note_readers(
    ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
) -> None:
    """Alembic calls it after each migration, up or down, within its transaction."""
    connection = ctx.connection
    if connection is None or not inspect(connection).has_table(SchemaReaderRow.__tablename__):
        return
    connection.execute(delete(SchemaReaderRow))
    for head in heads:
        for script in context.script.iterate_revisions(head, "base"):
            connection.execute(insert(SchemaReaderRow).values(revision=script.revision))
            if not script.module.older_code_works:
                break


if context.is_offline_mode():
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=True,
                on_version_apply=note_readers,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()
