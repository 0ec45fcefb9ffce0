"""The settings that clients ask for in live sessions and client secrets. Law: refuses; opens nothing."""

from __future__ import annotations

from typing import Any

from app.api.deps import Intake
from app.domain.live import LiveSettings
from app.errors import InvalidValue, ModelNotFound, UnknownUrl
from app.services.use_cases import UseCases
from app.wire.realtime_session import unfit_model, updated
from app.wire.realtime_strict import check_session


def check_enabled(intake: Intake) -> None:
    """Raises `UnknownUrl` if live sessions are switched off."""
    if not intake.realtime.enabled:
        raise UnknownUrl("Live transcription is switched off here (`realtime.enabled`).")


def changed_settings(
    services: UseCases, intake: Intake, settings: LiveSettings, session: Any, *, beta: bool
) -> LiveSettings:
    """The settings after a client's change. Raises `InvalidRequest`."""
    changed = updated(settings, session, services.live.defaults, beta=beta)
    if intake.transcriptions.strict:
        check_session(session, changed, beta=beta)
    check_model(services, changed.model, beta=beta)
    return changed


def check_model(services: UseCases, name: str, *, beta: bool) -> None:
    """Checks that a live session can use the model. Raises `InvalidRequest` with the path of the field
    `model`.
    """
    try:
        services.live.model(name)
    except (ModelNotFound, InvalidValue):
        place = "input_audio_transcription" if beta else "audio.input.transcription"
        raise unfit_model(name, f"session.{place}.model") from None
