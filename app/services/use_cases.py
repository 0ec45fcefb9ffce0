"""The use cases by name: all that routes and middleware see of the app. Law: values only."""

from __future__ import annotations

from dataclasses import dataclass

from app.runtime.meters import Meters
from app.services.about import AboutService
from app.services.client_secrets import ClientSecretService
from app.services.consents import ConsentService
from app.services.edited_files import EditedFileService
from app.services.idempotency import IdempotencyService
from app.services.keys import KeyService
from app.services.live import LiveService, LiveSessions
from app.services.metrics import MetricsService
from app.services.model_list import ModelListService
from app.services.readiness import ReadinessService
from app.services.refused_logins import RefusedLogins
from app.services.request_bodies import RequestBodyService
from app.services.speech import SpeechService
from app.services.transcription import TranscriptionService
from app.services.usage import UsageService
from app.services.voice_list import VoiceListService
from app.services.voices import VoiceService


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """The use cases that routes may call, and the counters that `/metrics` shows."""

    bodies: RequestBodyService
    edited_files: EditedFileService
    transcription: TranscriptionService
    speech: SpeechService
    live: LiveService
    live_sessions: LiveSessions
    models: ModelListService
    voices: VoiceListService
    custom_voices: VoiceService
    consents: ConsentService
    keys: KeyService
    client_secrets: ClientSecretService
    usage: UsageService
    idempotency: IdempotencyService
    refused_logins: RefusedLogins
    about: AboutService
    readiness: ReadinessService
    meters: Meters
    metrics: MetricsService
