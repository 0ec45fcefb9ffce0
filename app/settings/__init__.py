"""Every setting, its default and one sentence about it.

Law: values only; nothing is opened here. The environment wins over the file, the file over the defaults.
A key that does not exist stops the start. `config.example.toml` is printed from these classes and a test
keeps them equal.
"""

from __future__ import annotations

from pathlib import Path

from app.settings.auth import AuthSettings
from app.settings.base import MIB, Group
from app.settings.compat import CompatSettings
from app.settings.default_paths import data_folder
from app.settings.diarization import DiarizationSettings
from app.settings.limits import LimitsSettings
from app.settings.log import LogSettings
from app.settings.models import ModelsSettings
from app.settings.ray import RaySettings
from app.settings.realtime import RealtimeSettings
from app.settings.runtime import RuntimeSettings
from app.settings.server import ServerSettings
from app.settings.speech import SpeechSettings
from app.settings.storage import StorageSettings
from app.settings.studio import StudioSettings
from app.settings.subtitles import SubtitlesSettings
from app.settings.tracing import TracingSettings
from app.settings.transcription import TranscriptionSettings
from app.settings.voices import VoicesSettings
from app.settings.weights import WeightsSettings

OPENAI_UPLOAD = 25 * MIB
"""Bytes of the largest upload that OpenAI takes."""


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
    realtime: RealtimeSettings = RealtimeSettings()
    limits: LimitsSettings = LimitsSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    ray: RaySettings = RaySettings()
    compat: CompatSettings = CompatSettings()
    studio: StudioSettings = StudioSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()

    @property
    def folder(self) -> Path:
        """The storage folder, absolute."""
        return (self.storage.folder or data_folder()).expanduser().absolute()

    @property
    def request_limits(self) -> LimitsSettings:
        """The limits; in strict mode an upload is never larger than OpenAI's."""
        if not self.compat.strict:
            return self.limits
        return self.limits.model_copy(update={"upload_bytes": min(self.limits.upload_bytes, OPENAI_UPLOAD)})

    @property
    def database_url(self) -> str:
        """The configured URL, or that of the SQLite file in the storage folder."""
        return self.storage.database_url or f"sqlite+aiosqlite:///{self.folder / 'antiphon.db'}"

    @property
    def weights_folder(self) -> Path:
        return self.folder / "weights"

    @property
    def hash_book(self) -> Path:
        """The file in which servers keep the hashes of weights that they have read."""
        return self.folder / "weights-hashes.json"
