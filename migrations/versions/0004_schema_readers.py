"""The database says which revisions' code can use it, so that old and new servers may share it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
older_code_works = True


def upgrade() -> None:
    op.create_table(
        "schema_readers",
        sa.Column("revision", sa.String(32), primary_key=True),
    )


def downgrade() -> None:
    op.drop_table("schema_readers")
