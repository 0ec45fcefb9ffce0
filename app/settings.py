"""Every setting, its default and one sentence about it.

Law: values only; nothing is opened here. The environment wins over the file, the file over the defaults.
A key that does not exist stops the start. `config.example.toml` is printed from these classes and a test
keeps them equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from app.names import BUILTIN_VOICES, SPEECH_MODELS, TRANSCRIPTION_NAMES
from app.settings_work import MIB, Group, LimitsSettings, RuntimeSettings, TranscriptionSettings


class ServerSettings(Group):
    """Where the server listens."""

    host: str = Field("127.0.0.1", description="Address to listen on; any but a loopback one needs keys.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    shutdown_seconds: int = Field(
        60, ge=0, description="How long running requests may go on after a stop signal."
    )


class AuthSettings(Group):
    """Who may call."""

    keys: tuple[str, ...] = Field(
        (), description="API keys that are accepted, beside those made with `antiphon keys create`."
    )
    allow_open: bool = Field(
        default=False, description="Serve without any key on an address that others can reach."
    )

    @field_validator("keys")
    @classmethod
    def _not_blank(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if any(not key.strip() or key != key.strip() or " " in key for key in keys):
            raise ValueError("a key is at least one character and has no spaces")
        return keys


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


class DiarizationSettings(Group):
    """How speakers are told apart."""

    model: str = Field(
        "pyannote-starter",
        description="Diarization model: a name in the catalogue, a hub id that `antiphon models pull` has "
        "fetched, or the folder of a pyannote pipeline.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the model runs.")
    threads: int = Field(1, ge=1, le=1024, description="CPU threads; more gain little on small networks.")
    one_speaker_threshold: float = Field(
        0.33,
        ge=-1,
        le=1,
        description="Similarity under which two stretches of a known speaker's clip are two speakers'.",
    )


class SpeechSettings(Group):
    """How text is spoken."""

    models: dict[str, Literal["fast", "best"]] = Field(
        SPEECH_MODELS,
        description="Names that clients send: fast takes the quickest engine that has the voice, best the "
        "finest.",
    )
    voices: dict[str, tuple[str, ...]] = Field(
        BUILTIN_VOICES,
        description="OpenAI's voices, and the local ones that speak for each: one, or one of each engine.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where speech engines run.")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads of one engine; 0: one a core.")
    input_characters: int = Field(4096, ge=1, description="Longest text of a request; OpenAI's is 4096.")
    loudness: float = Field(
        -16.0, ge=-40, le=-5, description="Integrated loudness of every voice, in LUFS (EBU R 128)."
    )
    provenance: bool = Field(
        default=True, description="Tag files as synthetic speech, in the formats that have tags."
    )
    utterances_ahead: int = Field(
        2, ge=1, le=16, description="Utterances of one request that are in work at once."
    )


class VoicesSettings(Group):
    """Custom voices and the consents that they need."""

    organisation: str = Field(
        "OpenAI",
        min_length=1,
        max_length=100,
        description="The name that the consent phrase gives the voice to; OpenAI is accepted too.",
    )
    phrase_check: Literal["enforce", "warn"] = Field(
        "enforce", description="Refuse a recording without the consent phrase, or only note it in the audit."
    )
    phrase_threshold: float = Field(
        0.85, ge=0, le=1, description="Share of the phrase's letters that must be heard."
    )
    phrase_model: str = Field("whisper-1", description="Transcription model that listens for the phrase.")
    speaker_check: Literal["enforce", "warn"] = Field(
        "enforce", description="Refuse a sample of another speaker, or only note it in the audit."
    )
    speaker_threshold: float = Field(
        0.62, ge=-1, le=1, description="Similarity from which sample and consent are one speaker's."
    )
    one_speaker_threshold: float = Field(
        0.45, ge=-1, le=1, description="Similarity under which two stretches of a sample are two speakers'."
    )
    cloner: str = Field(
        "kokoro-match",
        description="What makes a voice of a sample: kokoro-match, or pocket-tts (a true clone).",
    )
    cloner_model: str = Field("", description="The model that the cloner works with; empty: its own name's.")
    shortest_seconds: float = Field(1.0, ge=0.5, description="Least speech in a sample, in seconds.")
    longest_seconds: float = Field(30.0, le=100, description="Most speech in a sample, in seconds.")
    upload_bytes: int = Field(10 * MIB, ge=1, description="Largest recording or sample, in bytes.")
    per_project: int = Field(20, ge=0, description="Voices of one project at most.")


class SubtitlesSettings(Group):
    """The shape of srt and vtt cues where a request does not say."""

    line_width: int = Field(42, ge=10, le=200, description="Columns of a line; a wide character takes two.")
    lines: int = Field(2, ge=1, le=5, description="Lines of a cue.")
    longest_seconds: float = Field(7.0, ge=1, le=60, description="Longest time a cue is shown.")
    shortest_seconds: float = Field(
        1.0, ge=0, le=10, description="Shortest time a cue is shown, where the next one leaves room."
    )
    columns_per_second: float = Field(
        17.0, ge=1, description="Reading speed that cues keep to, where the speech leaves room."
    )


class CompatSettings(Group):
    """How close to the letter of OpenAI's service."""

    strict: bool = Field(
        default=False, description="Refuse the combinations of model and option that OpenAI refuses."
    )


class LogSettings(Group):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written.")
    format: Literal["text", "json"] = Field("text", description="Lines for people or for machines.")


class Settings(Group):
    """All settings."""

    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    storage: StorageSettings = StorageSettings()
    weights: WeightsSettings = WeightsSettings()
    models: ModelsSettings = ModelsSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()
    diarization: DiarizationSettings = DiarizationSettings()
    speech: SpeechSettings = SpeechSettings()
    voices: VoicesSettings = VoicesSettings()
    subtitles: SubtitlesSettings = SubtitlesSettings()
    limits: LimitsSettings = LimitsSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    compat: CompatSettings = CompatSettings()
    log: LogSettings = LogSettings()

    @property
    def database_url(self) -> str:
        """The configured URL, or that of the SQLite file in the storage folder."""
        default = f"sqlite+aiosqlite:///{self.storage.folder.absolute() / 'antiphon.db'}"
        return self.storage.database_url or default

    @property
    def weights_folder(self) -> Path:
        return self.storage.folder.absolute() / "weights"
