"""Consents, custom voices, and the audit of both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
older_code_works = True

# SQLite increments only columns of the type INTEGER.
COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "voice_consents",
        sa.Column("seq", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("project", sa.String(200), nullable=False, index=True),
        sa.Column("name", sa.String(1000), nullable=False),
        sa.Column("language", sa.String(40), nullable=False),
        sa.Column("recording", sa.LargeBinary, nullable=False),
        sa.Column("speaker", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "voices",
        sa.Column("seq", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("project", sa.String(200), nullable=False, index=True),
        sa.Column("name", sa.String(1000), nullable=False),
        sa.Column("consent", sa.String(40), nullable=False, index=True),
        sa.Column("language", sa.String(40), nullable=False),
        sa.Column("cloner", sa.String(40), nullable=False),
        sa.Column("engine", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("nearest", sa.String(200), nullable=False),
        sa.Column("similarity", sa.Float, nullable=False),
        sa.Column("profile", sa.LargeBinary, nullable=False),
        sa.Column("sample", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["consent"], ["voice_consents.id"], ondelete="CASCADE", name="fk_voices_consent_voice_consents"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        sa.Column("seq", COUNTER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("project", sa.String(200), nullable=False, index=True),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(40), nullable=False, index=True),
        sa.Column("outcome", sa.String(40), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for table in ("audit", "voices", "voice_consents"):
        op.drop_table(table)
