"""Builds the parts of the app from the settings, with one function for each feature.

Law: construction only; every value goes by its name, so that two settings of one type cannot be swapped by
mistake.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from app import __version__
from app.audio.reader_task import read, warm
from app.container.automatic_settings import readers, seconds_together
from app.domain import AuditEntry, ModelSpec
from app.errors import ModelNotFound
from app.models.registry import Registry
from app.models.voicebook import VoiceBook
from app.models.weights import WeightsStore, slug
from app.runtime.admission import Admission
from app.runtime.batching import BatchLimits
from app.runtime.blocking_work import WorkThreads
from app.runtime.lane_runner import RunnerRules
from app.runtime.memory_shortage import MemoryShortage
from app.runtime.meters import Meters
from app.runtime.places_per_key import SharedPlaces
from app.runtime.reader_messages import ReaderOrder
from app.runtime.reader_pool import ReaderPool, ReaderRules
from app.runtime.runner import Runner
from app.services.about import AboutService
from app.services.consents import ConsentRules, ConsentService
from app.services.diarization import DiarizationService, SpeakerRules
from app.services.live import LiveService, LiveSessions
from app.services.speech import SpeechRules, SpeechService
from app.services.steps.live_session import LiveRules
from app.services.steps.live_transcriber import LookRules
from app.services.steps.shared_loudness import SharedLoudness
from app.services.transcription import TranscriptionRules, TranscriptionService
from app.services.voices import VoiceRules, VoiceService
from app.settings import Settings
from app.settings.limits import LimitsSettings
from app.settings.load import groups
from app.store.audit import AuditLog
from app.store.voices import VoiceStore
from app.tracing import TracingRules
from app.wire.cue_breaks import CueRules
from app.wire.realtime_session import LIVE_MODELS
from app.wire.speech import SpeechRequestRules
from app.wire.transcription_request import RequestRules
from engines import catalog
from engines.types import TranscribeOptions

PROVENANCE = "Synthetic speech, made by Antiphon"
SPEAKER_ENCODER = "pyannote-starter"
EDITED_FILES = 16
"""The most files of edited segments that are made or wait at once; each holds a body of some megabytes."""
EDITED_FILES_OF_ONE_KEY = 4
DIARIZER, PIPELINES, PIPELINE = "speakers", "pyannote", "config.yaml"
"""The engine of the starter model, the engine of pipelines in pyannote's layout, and the file by which such a
pipeline is recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedParts:
    """The parts of the app that several features are built on."""

    settings: Settings
    runner: Runner
    threads: WorkThreads
    registry: Registry
    voices: VoiceStore
    audit: AuditLog


def weights_store(settings: Settings, *, offline: bool = False, reread: bool = True) -> WeightsStore:
    """The store of weights, which commands use without a server. `reread`: whether to read all files and not
    only those that have changed since a server read them.
    """
    weights = settings.weights
    return WeightsStore(
        settings.weights_folder,
        hub=weights.hub,
        mirrors=weights.mirrors,
        offline=offline or weights.offline,
        hash_book=settings.hash_book,
        reread=reread,
    )


def model_registry(settings: Settings) -> Registry:
    """The registry of the models and names that these settings allow."""
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
        model = registry.resolve(name)
    except ModelNotFound:
        return ModelSpec(name, "diarization", PIPELINES, settings.weights_folder / slug(name), 0, "")
    return model if model.kind == "diarization" else replace(model, kind="diarization", engine=PIPELINES)


def diarization(base: SharedParts, model: ModelSpec) -> DiarizationService:
    rules = SpeakerRules(one_speaker=base.settings.diarization.one_speaker_threshold)
    return DiarizationService(base.runner, base.threads, model, rules)


def transcription(base: SharedParts, speakers: DiarizationService) -> TranscriptionService:
    settings = base.settings
    rules = TranscriptionRules(
        audio_seconds=settings.limits.audio_seconds,
        windows_ahead=settings.runtime.windows_ahead,
        seconds_together=seconds_together(settings),
        window_seconds=settings.transcription.window_seconds,
        beam_size=settings.transcription.beam_size,
        greedy_first=settings.transcription.greedy_first,
    )
    return TranscriptionService(base.runner, base.threads, base.registry, speakers, rules)


def consents(base: SharedParts, texts: TranscriptionService) -> ConsentService:
    chosen = base.settings.voices
    rules = ConsentRules(
        organisation=chosen.organisation,
        threshold=chosen.phrase_threshold,
        check=chosen.phrase_check,
        model=chosen.phrase_model,
        quota=chosen.consents_per_project,
    )
    encoder = base.registry.resolve(SPEAKER_ENCODER)
    return ConsentService(base.runner, base.threads, texts, encoder, base.voices, rules)


def custom_voices(base: SharedParts) -> VoiceService:
    chosen = base.settings.voices
    rules = VoiceRules(
        cloner=chosen.cloner,
        model=chosen.cloner_model,
        threshold=chosen.speaker_threshold,
        one_speaker=chosen.one_speaker_threshold,
        check=chosen.speaker_check,
        shortest=chosen.shortest_seconds,
        longest=chosen.longest_seconds,
        quota=chosen.per_project,
    )
    encoder = base.registry.resolve(SPEAKER_ENCODER)
    return VoiceService(base.runner, base.threads, base.registry, encoder, base.voices, base.audit, rules)


def speech(
    base: SharedParts, book: VoiceBook, custom: VoiceService, loudness: SharedLoudness
) -> SpeechService:
    chosen = base.settings.speech
    rules = SpeechRules(
        ahead=chosen.utterances_ahead,
        loudness=chosen.loudness,
        provenance=PROVENANCE if chosen.provenance else "",
    )
    return SpeechService(base.runner, base.threads, book, custom, loudness, rules)


def live(base: SharedParts) -> LiveService:
    settings = base.settings
    chosen = settings.realtime
    rules = LiveRules(
        model=chosen.model,
        looks=LookRules(
            quick=TranscribeOptions(beam_size=1, temperatures=(0.0,), draft=True),
            # No greedy search before the beam: most looks at the end of a turn would need the beam too.
            careful=TranscribeOptions(beam_size=settings.transcription.beam_size),
        ),
        buffer_seconds=chosen.buffer_seconds,
        ahead_seconds=chosen.ahead_seconds,
    )
    return LiveService(base.runner, base.threads, base.registry, rules, LIVE_MODELS)


def live_sessions(settings: Settings) -> LiveSessions:
    """The places of live sessions. By default they leave half of the requests to others, because a session
    may last for an hour.
    """
    automatic = min(4 * (os.cpu_count() or 1), max(1, settings.limits.requests // 2))
    return LiveSessions(settings.realtime.sessions or automatic)


def speech_request_rules(settings: Settings) -> SpeechRequestRules:
    return SpeechRequestRules(characters=settings.speech.input_characters, strict=settings.compat.strict)


def request_rules(settings: Settings) -> RequestRules:
    """How forms of transcriptions are read."""
    shape = settings.subtitles
    cues = CueRules(
        width=shape.line_width,
        lines=shape.lines,
        longest=shape.longest_seconds,
        shortest=shape.shortest_seconds,
        speed=shape.columns_per_second,
    )
    return RequestRules(
        prompt_characters=settings.limits.prompt_characters,
        vad=settings.transcription.vad,
        cues=cues,
        strict=settings.compat.strict,
    )


def runner_rules(settings: Settings) -> RunnerRules:
    """The rules of the runner: parallel work, batch sizes and memory."""
    runtime = settings.runtime
    return RunnerRules(
        batch=BatchLimits(rows=runtime.batch_rows, seconds=runtime.batch_seconds),
        idle=runtime.idle_seconds,
        memory=0 if runtime.placement == "ray" else settings.models.memory_bytes,
    )


def edited_files(seconds: float) -> SharedPlaces:
    """The limit on files of edited segments. `seconds`: the longest that one may take."""
    return SharedPlaces(Admission(EDITED_FILES, seconds), most=EDITED_FILES_OF_ONE_KEY)


def admission(limits: LimitsSettings) -> Admission:
    """The admission of requests, with the limits of the settings."""
    return Admission(
        limit=limits.requests,
        seconds=limits.request_seconds,
        queued=limits.queued_seconds,
        held=limits.decoded_seconds,
    )


def tracing_rules(settings: Settings) -> TracingRules:
    chosen = settings.tracing
    return TracingRules(
        endpoint=chosen.endpoint, headers=chosen.headers, sample=chosen.sample, version=__version__
    )


def start_entry(settings: Settings) -> AuditEntry:
    """The audit row about the start of the server: it names the changed settings, without their values."""
    usual = Settings()
    changed = [
        f"{group}.{name}"
        for group, model in groups().items()
        for name in model.model_fields
        if getattr(getattr(settings, group), name) != getattr(getattr(usual, group), name)
    ]
    details: dict[str, str | float | bool] = {"version": __version__, "settings": ", ".join(changed)}
    return AuditEntry("server.start", "", "done", details)


def work_threads(settings: Settings, meters: Meters, shortage: MemoryShortage) -> WorkThreads:
    """The threads of requests, and the processes in which uploads are decoded, if they are isolated."""
    runtime = settings.runtime
    rules = ReaderRules(count=readers(settings), step_seconds=runtime.stuck_seconds)
    pool = ReaderPool(ReaderOrder(read, warm), rules, meters) if runtime.isolate_readers else None
    return WorkThreads(runtime.decode_threads, shortage, pool)


def uploads(limits: LimitsSettings) -> Admission:
    """The limit on uploads that are received at once."""
    return Admission(limits.uploads, limits.request_seconds, name="uploads")


def about(settings: Settings) -> AboutService:
    """The facts of GET /v1/about."""
    limits = settings.request_limits
    return AboutService(
        version=__version__,
        limits={
            "upload_bytes": limits.upload_bytes,
            "audio_seconds": limits.audio_seconds,
            "input_characters": settings.speech.input_characters,
            "recording_bytes": settings.voices.upload_bytes,
            "prompt_characters": limits.prompt_characters,
        },
        features={
            "diarization": settings.diarization.model != "",
            "cloner": settings.voices.cloner,
            "strict": settings.compat.strict,
            "live": settings.realtime.enabled,
        },
        organisation=settings.voices.organisation,
    )
