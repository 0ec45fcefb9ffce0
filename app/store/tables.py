"""The tables. Law: shapes only; every change is a migration in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

HEAD = "0002"
"""The newest migration; a test compares it with the migrations folder."""


class Base(DeclarativeBase):
    """Every constraint has a name, so that migrations can change it on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ApiKeyRow(Base):
    """An API key, hashed."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    project: Mapped[str] = mapped_column(String(200), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the secret, hexadecimal. The secret has 256 random bits, so no salt is needed."""
    hint: Mapped[str] = mapped_column(String(8))
    created: Mapped[int] = mapped_column(BigInteger)
    revoked: Mapped[int | None] = mapped_column(BigInteger)


Counter = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only what it calls INTEGER."""


class ConsentRow(Base):
    """A consent with its recording; `seq` is the order of making."""

    __tablename__ = "voice_consents"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's shape

    seq: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    project: Mapped[str] = mapped_column(String(200), index=True)
    name: Mapped[str] = mapped_column(String(1000))
    language: Mapped[str] = mapped_column(String(40))
    recording: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    speaker: Mapped[bytes] = mapped_column(LargeBinary)
    """The speaker's vector, float32."""
    created: Mapped[int] = mapped_column(BigInteger)


class VoiceRow(Base):
    """A custom voice with its sample and profile; it goes with its consent."""

    __tablename__ = "voices"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's shape

    seq: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    project: Mapped[str] = mapped_column(String(200), index=True)
    name: Mapped[str] = mapped_column(String(1000))
    consent: Mapped[str] = mapped_column(
        String(40), ForeignKey("voice_consents.id", ondelete="CASCADE"), index=True
    )
    language: Mapped[str] = mapped_column(String(40))
    cloner: Mapped[str] = mapped_column(String(40))
    engine: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(200))
    nearest: Mapped[str] = mapped_column(String(200))
    similarity: Mapped[float] = mapped_column(Float)
    profile: Mapped[bytes] = mapped_column(LargeBinary)
    sample: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created: Mapped[int] = mapped_column(BigInteger)


class AuditRow(Base):
    """Who did what with a voice or a consent, and how it ended. Never deleted."""

    __tablename__ = "audit"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's shape

    seq: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    at: Mapped[int] = mapped_column(BigInteger)
    """Unix time."""
    project: Mapped[str] = mapped_column(String(200), index=True)
    key: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40), index=True)
    """Id of the voice or the consent; empty where none was made."""
    outcome: Mapped[str] = mapped_column(String(40))
    details: Mapped[str] = mapped_column(Text)
    """JSON: scores, thresholds, what was heard."""
