"""Runs migrations on the database that `app.store.schema` names."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from app.store.tables import Base

url = context.config.attributes.get("url", "sqlite://")

if context.is_offline_mode():
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()
