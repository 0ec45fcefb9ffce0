"""Builds each singleton once, in order, and closes them in reverse.

Law: construction only. The web app and the command line share it, so both run the same code.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from app.domain import ModelSpec
from app.errors import ApiError, ModelNotFound
from app.models.registry import Registry
from app.models.voicebook import VoiceBook
from app.models.weights import WeightsStore, slug
from app.runtime.admission import Admission
from app.runtime.batching import BatchLimits
from app.runtime.in_process import InProcess
from app.runtime.lane_runner import LaneRunner, RunnerRules
from app.runtime.meters import Meters
from app.runtime.orders import EngineSettings
from app.runtime.residence import ModelState
from app.runtime.shortage import MemoryShortage
from app.runtime.threads import WorkThreads
from app.services.consents import ConsentRules, ConsentService
from app.services.diarization import DiarizationService, SpeakerRules
from app.services.keys import KeyService
from app.services.speech import SpeechService
from app.services.transcription import TranscriptionRules, TranscriptionService
from app.services.voices import VoiceRules, VoiceService
from app.settings import Settings
from app.settings.limits import LimitsSettings
from app.store.audit import AuditLog
from app.store.database import Database
from app.store.keys import KeyStore
from app.store.voices import VoiceStore
from app.wire.cue_breaks import CueRules
from app.wire.requests import RequestRules
from app.wire.speech import SpeechRules
from engines import catalog
from engines.contracts import DiarizationEngine, LoadTranscriber, SpeechEngine

log = logging.getLogger(__name__)
PROVENANCE = "Synthetic speech, made by Antiphon"
SPEAKER_ENCODER = "speaker-dvector"
DIARIZER, PIPELINES, PIPELINE = "speakers", "pyannote", "config.yaml"
"""Engines of the starter's files and of pipelines in pyannote's layout, and the file that marks those."""


class StartRefused(Exception):
    """The server must not start like this; the message says what to do."""


class Container:
    """Everything that is alive while the server runs."""

    def __init__(
        self,
        settings: Settings,
        transcribers: Callable[[str], LoadTranscriber] = catalog.transcriber,
        synthesizers: Callable[[str], SpeechEngine] = catalog.synthesizer,
        diarizers: Callable[[str], DiarizationEngine] = catalog.diarizer,
    ) -> None:
        """The callables: engine name -> engine."""
        self.settings = settings
        self.weights = weights_store(settings)
        self.registry = model_registry(settings)
        self.voices = VoiceBook(self.registry, settings.speech.voices, settings.speech.models, synthesizers)
        self.database = Database(settings.database_url)
        self.keys = KeyService(KeyStore(self.database), settings.auth.keys)
        self.uploads = Admission(settings.limits.uploads, settings.limits.request_seconds)
        self.meters = Meters()
        self.shortage = MemoryShortage()
        self.threads = WorkThreads(settings.runtime.decode_threads, self.shortage)
        self.place = InProcess(catalog.EngineFinder(transcribers, synthesizers, diarizers))
        self.runner = self._runner(settings)
        self.diarization_model = diarization_model(settings, self.registry)
        self.diarization = DiarizationService(
            self.runner,
            self.threads,
            self.diarization_model,
            SpeakerRules(settings.diarization.one_speaker_threshold),
        )
        self.transcription = TranscriptionService(
            self.runner,
            self.threads,
            self.registry,
            self.diarization,
            _transcription_rules(settings),
        )
        self.voice_store = VoiceStore(self.database)
        self.audit = AuditLog(self.database)
        encoder = self.registry.resolve(SPEAKER_ENCODER)
        self.consents = ConsentService(
            self.runner, self.threads, self.transcription, encoder, self.voice_store, _consent_rules(settings)
        )
        self.custom_voices = VoiceService(
            self.runner,
            self.threads,
            self.registry,
            encoder,
            self.voice_store,
            self.audit,
            _voice_rules(settings),
        )
        self.speech = SpeechService(
            self.runner,
            self.threads,
            self.voices,
            self.custom_voices,
            settings.speech.utterances_ahead,
            settings.speech.loudness,
            PROVENANCE if settings.speech.provenance else "",
        )
        self.request_rules = _request_rules(settings)
        self.speech_rules = SpeechRules(settings.speech.input_characters, settings.compat.strict)

    def _runner(self, settings: Settings) -> LaneRunner:
        return LaneRunner(
            self.weights,
            _admission(settings.limits),
            EngineSettings.of(settings),
            _runner_rules(settings),
            place=self.place,
            threads=self.threads,
            meters=self.meters,
            shortage=self.shortage,
        )

    async def open(self) -> None:
        """Checks what must be right before the first request, and begins to load models.

        Raises `DatabaseError` or `StartRefused`.
        """
        await check_start(self.settings, self.database, self.keys)
        models = [self.registry.resolve(name) for name in self.settings.models.preload]
        self.runner.preload(models)
        if any(model.kind == "speech" for model in models):
            self.speech.warm_up()

    def problems(self) -> dict[str, str]:
        """Why the server is not ready: what is wrong, by name."""
        found = {"memory": self.shortage.problem} if self.shortage.problem else {}
        for name in self.settings.models.preload:
            try:
                problem = self.runner.problem(self.registry.resolve(name))
            except ApiError as wrong:
                problem = wrong.message
            if problem:
                found[name] = problem
        return found

    def state(self, name: str) -> ModelState | None:
        """Whether the model behind a name is in memory; None where the voice decides which model it is."""
        try:
            model = self.registry.resolve(name)
        except ApiError:
            return None
        return None if model.folder == self.registry.weights else self.runner.state(model)

    async def close(self) -> None:
        async with AsyncExitStack() as stack:  # each of them closes, whatever happens to the others
            stack.push_async_callback(self.database.close)
            stack.push_async_callback(self.audit.close)
            stack.push_async_callback(asyncio.to_thread, self.threads.close)
            stack.push_async_callback(asyncio.to_thread, self.runner.close)


def weights_store(settings: Settings, *, offline: bool = False) -> WeightsStore:
    """The store of weights, which commands use without a server."""
    weights = settings.weights
    return WeightsStore(
        settings.weights_folder,
        hub=weights.hub,
        mirrors=weights.mirrors,
        offline=offline or weights.offline,
    )


def model_registry(settings: Settings) -> Registry:
    """The names that these settings serve."""
    engines = catalog.names(catalog.SYNTHESIZERS)
    return Registry(settings.models.aliases, settings.weights_folder, settings.speech.models, engines)


def diarization_model(settings: Settings, registry: Registry) -> ModelSpec:
    """The model that tells speakers apart: one of the catalogue, a folder, or a pipeline of the hub."""
    name = settings.diarization.model
    folder = Path(name)
    if folder.is_absolute():
        engine = PIPELINES if (folder / PIPELINE).is_file() else DIARIZER
        return ModelSpec("diarization", "diarization", engine, folder, 0, "")
    try:
        found = registry.resolve(name)
    except ModelNotFound:
        return ModelSpec(name, "diarization", PIPELINES, settings.weights_folder / slug(name), 0, "")
    return found if found.kind == "diarization" else replace(found, kind="diarization", engine=PIPELINES)


def _transcription_rules(settings: Settings) -> TranscriptionRules:
    return TranscriptionRules(
        audio_seconds=settings.limits.audio_seconds,
        windows_ahead=settings.runtime.windows_ahead,
        beam=settings.transcription.beam_size,
        greedy_first=settings.transcription.greedy_first,
    )


def _consent_rules(settings: Settings) -> ConsentRules:
    chosen = settings.voices
    return ConsentRules(
        organisation=chosen.organisation,
        threshold=chosen.phrase_threshold,
        check=chosen.phrase_check,
        model=chosen.phrase_model,
    )


def _voice_rules(settings: Settings) -> VoiceRules:
    chosen = settings.voices
    return VoiceRules(
        cloner=chosen.cloner,
        model=chosen.cloner_model,
        threshold=chosen.speaker_threshold,
        one_speaker=chosen.one_speaker_threshold,
        check=chosen.speaker_check,
        shortest=chosen.shortest_seconds,
        longest=chosen.longest_seconds,
        quota=chosen.per_project,
    )


def _request_rules(settings: Settings) -> RequestRules:
    shape = settings.subtitles
    cues = CueRules(
        width=shape.line_width,
        lines=shape.lines,
        longest=shape.longest_seconds,
        shortest=shape.shortest_seconds,
        speed=shape.columns_per_second,
    )
    limits, vad = settings.limits, settings.transcription.vad
    return RequestRules(limits.prompt_characters, vad, cues, settings.compat.strict)


def _runner_rules(settings: Settings) -> RunnerRules:
    runtime = settings.runtime
    return RunnerRules(
        batch=BatchLimits(runtime.batch_rows, runtime.batch_seconds),
        idle=runtime.idle_seconds,
        memory=settings.models.memory_bytes,
    )


def _admission(limits: LimitsSettings) -> Admission:
    return Admission(
        limits.requests, limits.request_seconds, queued=limits.queued_seconds, held=limits.decoded_seconds
    )


async def check_start(settings: Settings, database: Database, keys: KeyService) -> None:
    """Everything that would stop the start. Raises `DatabaseError` or `StartRefused`."""
    await database.check()
    await check_exposure(settings, keys)
    registry = model_registry(settings)
    for problem in registry.unknown(settings.models.preload, "models.preload"):
        raise StartRefused(problem)
    for warning in registry.warnings():
        log.warning(warning)


async def check_exposure(settings: Settings, keys: KeyService) -> None:
    """A server without keys listens to its own machine only. Raises `StartRefused`."""
    if is_loopback(settings.server.host) or settings.auth.allow_open or await keys.asks_for_keys():
        return
    raise StartRefused(
        f"Without an API key, anyone who reaches {settings.server.host} could use this server. Make a key "
        "with `antiphon keys create NAME`, or set `auth.keys`, or listen on 127.0.0.1; to serve everyone on "
        "purpose, set `auth.allow_open = true`."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
