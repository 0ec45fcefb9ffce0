"""Keys have scopes, an end and limits; their use is counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
# Older servers may go on, but they accept a key without looking at its scopes, its end and its limits.
older_code_works = True


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("scopes", sa.String(200)))
    op.add_column("api_keys", sa.Column("expires", sa.BigInteger))
    op.add_column("api_keys", sa.Column("counted_as", sa.String(40)))
    op.add_column("api_keys", sa.Column("requests_per_minute", sa.Integer))
    op.add_column("api_keys", sa.Column("audio_seconds_per_minute", sa.Integer))
    op.add_column("api_keys", sa.Column("parallel", sa.Integer))
    op.add_column("api_keys", sa.Column("audio_seconds_per_month", sa.BigInteger))
    op.create_table(
        "usage",
        sa.Column("account", sa.String(40), primary_key=True),
        sa.Column("span", sa.String(8), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("project", sa.String(200), nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("refused", sa.BigInteger, nullable=False),
        sa.Column("heard", sa.Float, nullable=False),
        sa.Column("spoken", sa.Float, nullable=False),
    )
    op.create_index("ix_usage_span_start", "usage", ["span", "start"])
    op.create_table(
        "usage_running",
        sa.Column("front", sa.String(40), primary_key=True),
        sa.Column("account", sa.String(40), primary_key=True),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("usage_running")
    op.drop_index("ix_usage_span_start", "usage")
    op.drop_table("usage")
    for column in (
        "audio_seconds_per_month",
        "parallel",
        "audio_seconds_per_minute",
        "requests_per_minute",
        "counted_as",
        "expires",
        "scopes",
    ):
        op.drop_column("api_keys", column)
