"""What is kept on disk, where weights come from, and which models answer."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from app.names import TRANSCRIPTION_NAMES
from app.settings.base import Group


class StorageSettings(Group):
    """What is kept on disk."""

    folder: Path = Field(
        Path("data"), description="Folder of everything that Antiphon keeps: weights and the database."
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL of the database; empty: an SQLite file in the folder."
    )


class WeightsSettings(Group):
    """Where model weights come from."""

    offline: bool = Field(default=False, description="Never fetch anything; use what is there.")
    hub: str = Field("https://huggingface.co", description="Base URL of the model hub or of its mirror.")
    mirrors: tuple[Path, ...] = Field(
        (), description="Local folders to look in first: one sub-folder a model, named like the model."
    )


class ModelsSettings(Group):
    """Which models answer to which names."""

    aliases: dict[str, str] = Field(
        dict.fromkeys(TRANSCRIPTION_NAMES, "whisper-base"),
        description="Names that clients send, and the local model that answers.",
    )
    preload: tuple[str, ...] = Field(
        ("whisper-base", "piper-en-us-joe-medium", "kokoro-82m"),
        description="Models that are loaded at the start; the others at first use.",
    )
    memory_bytes: int = Field(
        0,
        ge=0,
        description="Bytes of weights in memory at once; whoever was used longest ago leaves first. 0: no "
        "bound.",
    )
