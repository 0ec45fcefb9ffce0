"""The container: everything that is alive while the server runs, opened in order and closed in reverse.

Law: construction only. The web app and the command line share it, so both run the same code. Routes see the
use cases (`services`), never what they are built on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from app.container import builders
from app.container.automatic_settings import filled
from app.container.builders import diarization_model, model_registry, weights_store
from app.container.placement import place
from app.container.start_checks import check_start
from app.domain import ModelSpec
from app.models.voicebook import VoiceBook
from app.runtime.blocking_work import WorkThreads
from app.runtime.idle_memory import Activity, IdleMemory
from app.runtime.lane_runner import LaneRunner
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.meters import Meters
from app.runtime.model_orders import EngineSettings
from app.services.client_secrets import ClientSecretService
from app.services.consents import ConsentService
from app.services.edited_files import EditedFileService
from app.services.idempotency import IdempotencyService
from app.services.keys import KeyService
from app.services.metrics import MetricsService
from app.services.model_list import ModelListService
from app.services.readiness import ReadinessService
from app.services.refused_logins import SERVER, RefusedLogins
from app.services.request_bodies import RequestBodyService
from app.services.speech import SpeechService
from app.services.steps.shared_loudness import SharedLoudness
from app.services.transcription import TranscriptionService
from app.services.usage import UsageService
from app.services.use_cases import UseCases
from app.services.voice_list import VoiceListService
from app.services.voices import VoiceService
from app.settings import Settings
from app.store.audit import AuditLog
from app.store.database import Database
from app.store.idempotency import IdempotencyStore
from app.store.keys import KeyStore
from app.store.usage import UsageStore
from app.store.voice_loudness import LoudnessStore
from app.store.voices import VoiceStore
from app.tracing import close_tracing, open_tracing
from engines import catalog
from engines.contracts import DiarizationEngine, LoadTranscriber, SpeechEngine


class Container:
    """Everything that is alive while the server runs."""

    _preloading = _opened = False
    _warming: asyncio.Task[None] | None = None

    def __init__(
        self,
        settings: Settings,
        transcribers: Callable[[str], LoadTranscriber] = catalog.transcriber,
        synthesizers: Callable[[str], SpeechEngine] = catalog.synthesizer,
        diarizers: Callable[[str], DiarizationEngine] = catalog.diarizer,
    ) -> None:
        """`transcribers`, `synthesizers`, `diarizers`: each finds an engine by name; tests pass others."""
        self.start_entry = builders.start_entry(settings)
        self.settings = settings = filled(settings)
        self.weights = weights_store(settings, reread=False)
        self.registry = model_registry(settings)
        self.voices = VoiceBook(self.registry, settings.speech.voices, settings.speech.models, synthesizers)
        self.database = Database(settings.database_url)
        self.voice_store = VoiceStore(self.database, spare=settings.storage.free_bytes)
        self.audit, self.usage = AuditLog(self.database), UsageService(UsageStore(self.database))
        self.keys = KeyService(KeyStore(self.database), settings.auth.keys)
        self.uploads = builders.uploads(settings.limits)
        self.files = builders.edited_files(settings.limits.request_seconds)
        self.meters = Meters()
        self.shortage = MemoryShortage()
        self.threads = builders.work_threads(settings, self.meters, self.shortage)
        self.file_threads = WorkThreads(1, self.shortage)
        finder = catalog.EngineFinder(transcribers, synthesizers, diarizers)
        self.place = place(settings, finder, self.meters)
        self.runner, self.loudness = self._runner(), SharedLoudness(LoudnessStore(self.database))
        self.diarization_model = diarization_model(settings, self.registry)
        self.idle_memory = IdleMemory(self._activity)
        self.services = self._use_cases()
        self.request_rules = builders.request_rules(settings)
        self.speech_rules = builders.speech_request_rules(settings)

    @property
    def transcription(self) -> TranscriptionService:
        return self.services.transcription

    @property
    def speech(self) -> SpeechService:
        return self.services.speech

    @property
    def custom_voices(self) -> VoiceService:
        return self.services.custom_voices

    @property
    def consents(self) -> ConsentService:
        return self.services.consents

    def preload(self) -> None:
        """Begins to load the models that must be ready. `open` does it if nobody did before."""
        if not self._preloading:
            self._preloading = True
            self.runner.preload(self._preloaded())

    def _preloaded(self) -> list[ModelSpec]:
        return [self.registry.resolve(name) for name in self.settings.models.preload]

    def _loading(self) -> bool:
        """Whether models that must be ready are still to be loaded; one that cannot be loaded is not."""
        return any(self.runner.state(model) in ("idle", "loading") for model in self._preloaded())

    async def open(self) -> None:
        """Checks what must be right before the first request, and begins to load models.

        Raises `DatabaseError` or `StartRefused`.
        """
        self._opened = True
        await check_start(self.settings, self.database, self.keys)
        self.loudness.share()
        if self.settings.tracing.endpoint:
            open_tracing(builders.tracing_rules(self.settings))
        self.audit.add(SERVER, self.start_entry)
        self.preload()
        self.idle_memory.start()
        if any(model.kind == "speech" for model in self._preloaded()):
            self._warming = asyncio.create_task(self.speech.warm_up(self._loading))
        if self.threads.readers:
            self.threads.readers.start()

    async def close(self) -> None:
        """Closes all parts in reverse order, even if closing one of them fails."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, close_tracing)
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.audit.close)
            stack.push_async_callback(self.usage.close)
            stack.push_async_callback(self.loudness.close)
            stack.callback(self.services.refused_logins.close)
            stack.push_async_callback(asyncio.to_thread, self.threads.close)
            stack.push_async_callback(asyncio.to_thread, self.file_threads.close)
            stack.push_async_callback(asyncio.to_thread, self.runner.close)
            stack.push_async_callback(self.idle_memory.close)
            if self._warming:
                self._warming.cancel()

    def abandon(self) -> None:
        """Ends what `preload` began, if the server has failed before `open`, after which `close` is due."""
        if not self._opened:
            asyncio.run(self.close())

    def _activity(self) -> Activity:
        return Activity(begun=self.uploads.begun, open=self.uploads.count + self.runner.snapshot().requests)

    def _runner(self) -> LaneRunner:
        return LaneRunner(
            self.weights,
            builders.admission(self.settings.limits),
            EngineSettings.of(self.settings),
            builders.runner_rules(self.settings),
            place=self.place,
            threads=self.threads,
            meters=self.meters,
            shortage=self.shortage,
        )

    def _shared_parts(self) -> builders.SharedParts:
        return builders.SharedParts(
            settings=self.settings,
            runner=self.runner,
            threads=self.threads,
            registry=self.registry,
            voices=self.voice_store,
            audit=self.audit,
        )

    def _use_cases(self) -> UseCases:
        base = self._shared_parts()
        transcription = builders.transcription(base, builders.diarization(base, self.diarization_model))
        custom, readiness = builders.custom_voices(base), self._readiness()
        return UseCases(
            bodies=RequestBodyService(self.uploads, self.threads),
            edited_files=EditedFileService(self.files, self.file_threads),
            transcription=transcription,
            speech=builders.speech(base, self.voices, custom, self.loudness),
            live=builders.live(base),
            live_sessions=builders.live_sessions(self.settings),
            models=ModelListService(self.registry, self.runner),
            voices=VoiceListService(self.voices, custom, self.threads),
            custom_voices=custom,
            consents=builders.consents(base, transcription),
            keys=self.keys,
            client_secrets=ClientSecretService(self.keys, self.settings.realtime.secrets),
            usage=self.usage,
            idempotency=IdempotencyService(IdempotencyStore(self.database)),
            refused_logins=RefusedLogins(self.audit),
            about=builders.about(self.settings),
            readiness=readiness,
            meters=self.meters,
            metrics=MetricsService(self.meters, self.runner, self.uploads, readiness, self.keys),
        )

    def _readiness(self) -> ReadinessService:
        return ReadinessService(
            self.database,
            self.runner,
            self.registry,
            self.shortage,
            preload=self.settings.models.preload,
            folder=self.settings.folder,
            free_bytes=self.settings.storage.free_bytes,
        )
