"""FastAPI dependencies of the routes. Law: no logic; routes see use cases and the rules for reading requests,
nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from app.api.access_log import CALLER
from app.domain import Caller
from app.services.use_cases import UseCases
from app.settings.limits import LimitsSettings
from app.settings.realtime import RealtimeSettings
from app.wire.speech import SpeechRequestRules
from app.wire.transcription_request import RequestRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The rules for reading requests: their limits, and the defaults of absent fields."""

    limits: LimitsSettings
    recording_bytes: int
    """The most bytes of a consent recording or of a voice sample."""
    transcriptions: RequestRules
    speech: SpeechRequestRules
    realtime: RealtimeSettings


def services_of(request: HTTPConnection) -> UseCases:
    """The use cases of the app that serves this request."""
    services: UseCases = request.app.state.services
    return services


def intake_of(request: HTTPConnection) -> Intake:
    """The reading rules of the app that serves this request."""
    intake: Intake = request.app.state.intake
    return intake


def caller_of(request: HTTPConnection) -> Caller:
    """The caller of this request, as the key check found out."""
    caller: Caller = request.scope[CALLER]
    return caller


CallerOf = Annotated[Caller, Depends(caller_of)]
Services = Annotated[UseCases, Depends(services_of)]
IntakeOf = Annotated[Intake, Depends(intake_of)]
