"""What several servers must agree on: answers to repeated requests, and how loud voices are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
older_code_works = True


def upgrade() -> None:
    op.create_table(
        "idempotency",
        sa.Column("project", sa.String(200), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("claim", sa.String(40), nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_idempotency_at", "idempotency", ["at"])
    op.create_table(
        "voice_loudness",
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("voice", sa.String(200), primary_key=True),
        sa.Column("power", sa.Float, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("voice_loudness")
    op.drop_index("ix_idempotency_at", "idempotency")
    op.drop_table("idempotency")
