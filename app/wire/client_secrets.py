"""Requests for client secrets and their answers, as in OpenAI's current API and as in its beta. Law: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.domain.live import LiveSettings
from app.errors import InvalidValue
from app.wire.checked_values import bounded_integer
from app.wire.json_bodies import json_object
from app.wire.realtime_session import session_object, updated

SHORTEST_SECONDS, LONGEST_SECONDS, USUAL_SECONDS = 10, 7200, 600
"""Seconds that a secret may be valid: least, greatest, default."""


@dataclass(frozen=True, slots=True)
class SecretRequest:
    """A secret that a client asks for."""

    settings: LiveSettings
    seconds: int
    session: dict[str, Any]
    """The settings of the session, as the client wrote them."""


def secret_request(data: bytes, default: LiveSettings, *, beta: bool) -> SecretRequest:
    """The body of a request for a client secret. Raises `InvalidRequest`."""
    body = json_object(data) if data.strip() else {}
    if beta:
        secret = body.get("client_secret")
        expires = secret.get("expires_at") if isinstance(secret, dict) else secret
        seconds = _seconds("client_secret.expires_at", expires)
        return SecretRequest(updated(default, body, default, beta=True), seconds, body)
    seconds = _seconds("expires_after", body.get("expires_after"))
    session = body.get("session")
    settings = default if session is None else updated(default, session, default, beta=False)
    return SecretRequest(settings, seconds, session or {})


def secret_answer(
    value: str, expires_at: int, settings: LiveSettings, session: str, *, beta: bool
) -> dict[str, Any]:
    """The answer to a request for a client secret. `session`: the id that the answer shows."""
    shown = {"id": session} | session_object(settings, beta=beta)
    if beta:
        return shown | {"client_secret": {"value": value, "expires_at": expires_at}}
    return {"value": value, "expires_at": expires_at, "session": shown | {"expires_at": expires_at}}


def _seconds(path: str, value: Any) -> int:
    if value is None:
        return USUAL_SECONDS
    if not isinstance(value, dict) or value.get("anchor", "created_at") != "created_at":
        raise InvalidValue(
            f"Invalid value for '{path}.anchor': expected 'created_at'.", param=f"{path}.anchor"
        )
    seconds = value.get("seconds", USUAL_SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise InvalidValue(f"Invalid value for '{path}.seconds': expected a number.", param=f"{path}.seconds")
    return bounded_integer(f"{path}.seconds", seconds, SHORTEST_SECONDS, LONGEST_SECONDS)
