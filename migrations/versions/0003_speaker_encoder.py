"""Vectors of speakers carry the name of the encoder that made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
older_code_works = True

# The only encoder until now. The default stays: during an upgrade, an older version may still add rows.
OLD_ENCODER = "speaker-dvector"


def upgrade() -> None:
    op.add_column(
        "voice_consents", sa.Column("encoder", sa.String(200), nullable=False, server_default=OLD_ENCODER)
    )


def downgrade() -> None:
    op.drop_column("voice_consents", "encoder")
