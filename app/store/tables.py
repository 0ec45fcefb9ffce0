"""The tables of the database. Law: no behaviour; every change of a table is a migration in
`migrations/versions`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from app.errors import InvalidValue

HEAD = "0006"
"""The newest migration; a test compares it with the migrations folder."""
OLD_ENCODER = "speaker-dvector"
"""The only speaker encoder before revision 0003, whose vectors had no name yet."""


def storable(text: str) -> str:
    """`text` with the characters replaced that a database refuses: PostgreSQL refuses NUL, and neither can
    encode half a surrogate pair.

    They become U+FFFD, which no id has, so that a name with one of them is a name that does not exist.
    """
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Line(TypeDecorator[str]):
    """A text column of bounded length that can be compared with any string."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


def _blob() -> Mapped[bytes]:
    """A column for up to tens of megabytes. It is loaded only by a query that asks for it with `undefer`;
    else reading it raises.
    """
    return mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)


class Base(DeclarativeBase):
    """The base of all tables. Every constraint has a name, so that migrations can change
    it on any database.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    def __init__(self, **values: Any) -> None:
        """Raises `InvalidValue` for a text that is longer than its column: SQLite would take it."""
        for name, value in values.items():
            longest = getattr(self.__table__.c[name].type, "length", None)
            if longest and isinstance(value, str) and len(value) > longest:
                raise InvalidValue(f"'{name}' has more than {longest} characters.", param=name)
            setattr(self, name, value)


class ApiKeyRow(Base):
    """An API key, hashed."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Line(40), primary_key=True)
    name: Mapped[str] = mapped_column(Line(200))
    project: Mapped[str] = mapped_column(Line(200), index=True)
    digest: Mapped[str] = mapped_column(Line(64), unique=True)
    """SHA-256 of the secret, hexadecimal. The secret has 256 random bits, so no salt is needed."""
    hint: Mapped[str] = mapped_column(Line(8))
    created: Mapped[int] = mapped_column(BigInteger)
    revoked: Mapped[int | None] = mapped_column(BigInteger)
    scopes: Mapped[str | None] = mapped_column(Line(200))
    """Scopes, separated by spaces; NULL for a key that an older version has made, which has the default
    scopes.
    """
    expires: Mapped[int | None] = mapped_column(BigInteger)
    counted_as: Mapped[str | None] = mapped_column(Line(40))
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    audio_seconds_per_minute: Mapped[int | None] = mapped_column(Integer)
    parallel: Mapped[int | None] = mapped_column(Integer)
    audio_seconds_per_month: Mapped[int | None] = mapped_column(BigInteger)


Counter = BigInteger().with_variant(Integer, "sqlite")
"""SQLite increments only columns of the type INTEGER."""


class ConsentRow(Base):
    """A consent with its recording; `seq` is the order of creation."""

    __tablename__ = "voice_consents"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's shape

    seq: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(Line(40), unique=True)
    project: Mapped[str] = mapped_column(Line(200), index=True)
    name: Mapped[str] = mapped_column(Line(1000))
    language: Mapped[str] = mapped_column(Line(40))
    recording: Mapped[bytes] = _blob()
    speaker: Mapped[bytes] = _blob()
    """The speaker's vector, float32, little-endian."""
    encoder: Mapped[str] = mapped_column(Line(200), server_default=OLD_ENCODER)
    """Id of the model that made the vector. The default is for rows that an older version adds after the
    migration."""
    created: Mapped[int] = mapped_column(BigInteger)


class VoiceRow(Base):
    """A custom voice with its sample and profile; it is deleted with its consent."""

    __tablename__ = "voices"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's shape

    seq: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(Line(40), unique=True)
    project: Mapped[str] = mapped_column(Line(200), index=True)
    name: Mapped[str] = mapped_column(Line(1000))
    consent: Mapped[str] = mapped_column(
        Line(40), ForeignKey("voice_consents.id", ondelete="CASCADE"), index=True
    )
    language: Mapped[str] = mapped_column(Line(40))
    cloner: Mapped[str] = mapped_column(Line(40))
    engine: Mapped[str] = mapped_column(Line(40))
    model: Mapped[str] = mapped_column(Line(200))
    nearest: Mapped[str] = mapped_column(Line(200))
    similarity: Mapped[float] = mapped_column(Float)
    profile: Mapped[bytes] = _blob()
    sample: Mapped[bytes] = _blob()
    created: Mapped[int] = mapped_column(BigInteger)


class AuditRow(Base):
    """One action on a voice or a consent, with its actor and outcome. Rows are never deleted."""

    __tablename__ = "audit"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's shape

    seq: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    at: Mapped[int] = mapped_column(BigInteger)
    """Unix time of the action."""
    project: Mapped[str] = mapped_column(Line(200), index=True)
    key: Mapped[str] = mapped_column(Line(40))
    action: Mapped[str] = mapped_column(Line(40))
    subject: Mapped[str] = mapped_column(Line(40), index=True)
    """Id of the voice or the consent; empty if its creation was refused."""
    outcome: Mapped[str] = mapped_column(Line(40))
    details: Mapped[str] = mapped_column(Text)
    """JSON: scores, thresholds, what was heard."""


class UsageRow(Base):
    """What one account has used in one minute or on one day (UTC)."""

    __tablename__ = "usage"
    __table_args__ = (Index("ix_usage_span_start", "span", "start"),)

    account: Mapped[str] = mapped_column(Line(40), primary_key=True)
    """Id of a key, or `settings` for a key of the settings file, or `open` without keys."""
    span: Mapped[str] = mapped_column(Line(8), primary_key=True)
    """`minute` or `day`. Minutes are deleted after an hour."""
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Unix time of the beginning of the minute or day."""
    project: Mapped[str] = mapped_column(Line(200))
    requests: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)
    """Requests that a limit of the key has refused."""
    heard: Mapped[float] = mapped_column(Float)
    """Seconds of audio transcribed."""
    spoken: Mapped[float] = mapped_column(Float)
    """Seconds of speech synthesized."""


class RunningRow(Base):
    """Requests of one account that one server answers at the moment; a row that is not renewed is void."""

    __tablename__ = "usage_running"

    front: Mapped[str] = mapped_column(Line(40), primary_key=True)
    account: Mapped[str] = mapped_column(Line(40), primary_key=True)
    requests: Mapped[int] = mapped_column(Integer)
    at: Mapped[int] = mapped_column(BigInteger)
    """Unix time of the last renewal."""


class IdempotencyRow(Base):
    """A key that a client gave to a request which creates something, and the answer."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_at", "at"),)

    project: Mapped[str] = mapped_column(Line(200), primary_key=True)
    key: Mapped[str] = mapped_column(Line(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Line(64))
    """SHA-256 of what the request holds."""
    claim: Mapped[str] = mapped_column(Line(40))
    """Id of the attempt that holds the key while its answer is not stored yet."""
    answer: Mapped[str | None] = mapped_column(Text)
    """JSON; NULL until the thing is created."""
    at: Mapped[int] = mapped_column(BigInteger)
    """Unix time of the claim."""


class VoiceLoudnessRow(Base):
    """The loudness of a voice, measured on its speech so far."""

    __tablename__ = "voice_loudness"

    model: Mapped[str] = mapped_column(Line(200), primary_key=True)
    voice: Mapped[str] = mapped_column(Line(200), primary_key=True)
    """Id of a custom voice, or the name of any other voice."""
    power: Mapped[float] = mapped_column(Float)
    """Mean power, in the unit of `app.audio.voice_loudness`."""
    seconds: Mapped[float] = mapped_column(Float)
    """Seconds of speech that it was measured over."""


class SchemaReaderRow(Base):
    """A revision whose code can use the schema as it is now. Written by `migrations/env.py` alone."""

    __tablename__ = "schema_readers"

    revision: Mapped[str] = mapped_column(Line(32), primary_key=True)
