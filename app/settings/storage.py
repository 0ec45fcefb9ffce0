"""Settings of what is stored on disk."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from app.settings.base import MIB, Group


class StorageSettings(Group):
    """Where weights and the database are stored."""

    folder: Path | None = Field(
        None,
        description="Folder of the weights and the database. Empty: the folder `data` of the checkout that "
        "Antiphon runs from; where it runs from no checkout, the system's folder for application data.",
    )
    database_url: str = Field(
        "",
        description="URL of the database: `postgresql://user:password@host/name` or `sqlite:////path`. "
        "Empty: an SQLite file in the storage folder.",
    )

    free_bytes: int = Field(
        256 * MIB,
        ge=0,
        description="The server says that it is not ready while the disk has less than this left, in bytes. "
        "Voices and consents are refused before they take it.",
    )

    @field_validator("folder", mode="before")
    @classmethod
    def _empty_is_default(cls, folder: object) -> object:
        return None if folder == "" else folder
