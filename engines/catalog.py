"""Finds engines by name, through entry points: built-in engines are registered in the same way as plugins.

Law: nothing heavy is imported until an engine is asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from engines.contracts import (
    DiarizationEngine,
    LoadSpeakerEncoder,
    LoadSpeechDetector,
    LoadTranscriber,
    SpeechEngine,
    VoiceCloner,
)
from engines.errors import EngineError

TRANSCRIBERS = "antiphon.transcribers"
SPEECH_DETECTORS = "antiphon.speech_detectors"
SYNTHESIZERS = "antiphon.synthesizers"
SPEAKER_ENCODERS = "antiphon.speaker_encoders"
DIARIZERS = "antiphon.diarizers"
VOICE_CLONERS = "antiphon.voice_cloners"


def names(group: str) -> tuple[str, ...]:
    """The engines that are registered in `group`, whether or not their libraries are installed."""
    return tuple(sorted(_points(group)))


def transcriber(name: str) -> LoadTranscriber:
    """The loader of a speech-to-text engine. Raises `EngineError` for an unknown name."""
    return cast("LoadTranscriber", _point(TRANSCRIBERS, name).load())


def speech_detector(name: str) -> LoadSpeechDetector:
    """The loader of a voice activity detector. Raises `EngineError` for an unknown name."""
    return cast("LoadSpeechDetector", _point(SPEECH_DETECTORS, name).load())


def synthesizer(name: str) -> SpeechEngine:
    """A text-to-speech engine. Raises `EngineError` for an unknown name."""
    return cast("SpeechEngine", _point(SYNTHESIZERS, name).load())


def speaker_encoder(name: str) -> LoadSpeakerEncoder:
    """The loader of a speaker encoder. Raises `EngineError` for an unknown name."""
    return cast("LoadSpeakerEncoder", _point(SPEAKER_ENCODERS, name).load())


def diarizer(name: str) -> DiarizationEngine:
    """A diarization engine. Raises `EngineError` for an unknown name."""
    return cast("DiarizationEngine", _point(DIARIZERS, name).load())


def voice_cloner(name: str) -> VoiceCloner:
    """A voice cloner. Raises `EngineError` for an unknown name."""
    return cast("VoiceCloner", _point(VOICE_CLONERS, name).load())


@dataclass(frozen=True, slots=True)
class EngineFinder:
    """Functions that find an engine by its name, one for each kind of engine."""

    transcribers: Callable[[str], LoadTranscriber] = transcriber
    synthesizers: Callable[[str], SpeechEngine] = synthesizer
    diarizers: Callable[[str], DiarizationEngine] = diarizer
    speaker_encoders: Callable[[str], LoadSpeakerEncoder] = speaker_encoder
    cloners: Callable[[str], VoiceCloner] = voice_cloner


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group, cached because reading them reads the metadata of
    every installed package.
    """
    return {point.name: point for point in entry_points(group=group)}


def _point(group: str, name: str) -> EntryPoint:
    try:
        return _points(group)[name]
    except KeyError:
        known = ", ".join(names(group)) or "none"
        raise EngineError(f"There is no engine `{name}`; known ones: {known}.") from None
