"""FastAPI dependencies of the routes. Law: no logic; routes see use cases and the rules for reading requests,
nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.api.middleware import CALLER
from app.container import Container, UseCases
from app.domain import Caller
from app.runtime.admission import Admission
from app.runtime.threads import WorkThreads
from app.settings.limits import LimitsSettings
from app.wire.requests import RequestRules
from app.wire.speech import SpeechRequestRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The rules for reading requests: their limits, and the defaults of absent fields."""

    limits: LimitsSettings
    uploads: Admission
    files: Admission
    """Files of edited segments that are being made."""
    file_threads: WorkThreads
    """One: such files are made one after the other, apart from the work for transcriptions and speech."""
    recording_bytes: int
    """Bytes of the recording of a consent or of the sample of a voice."""
    transcriptions: RequestRules
    speech: SpeechRequestRules


def container_of(request: Request) -> Container:
    """The one container of the app that serves this request."""
    container: Container = request.app.state.container
    return container


def services_of(request: Request) -> UseCases:
    """The use cases of the app that serves this request."""
    return container_of(request).services


def intake_of(request: Request) -> Intake:
    """The reading rules of the app that serves this request."""
    container = container_of(request)
    return Intake(
        limits=container.settings.request_limits,
        uploads=container.uploads,
        files=container.files,
        file_threads=container.file_threads,
        recording_bytes=container.settings.voices.upload_bytes,
        transcriptions=container.request_rules,
        speech=container.speech_rules,
    )


def caller_of(request: Request) -> Caller:
    """The caller of this request, as the key check found out."""
    caller: Caller = request.scope[CALLER]
    return caller


CallerOf = Annotated[Caller, Depends(caller_of)]
Services = Annotated[UseCases, Depends(services_of)]
IntakeOf = Annotated[Intake, Depends(intake_of)]
Everything = Annotated[Container, Depends(container_of)]
"""For the routes that watch the server itself."""
