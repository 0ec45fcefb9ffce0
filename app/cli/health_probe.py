"""The health of the server that runs on this machine, asked for over HTTP. No certificate is verified."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any

from app.cli.server_address import address

if TYPE_CHECKING:
    from app.settings import Settings
    from app.settings.server import ServerSettings

ANSWER_BYTES = 1 << 20


class NoAnswer(Exception):
    """No Antiphon server answers at the address; the message says what happened."""


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a running server, as it reports it."""

    problems: dict[str, str]
    """Why it is not ready, by name; empty if it is."""
    crashed_models: dict[str, str]
    """How the processes of models ended that the server does not need to be ready, by model id."""


def health_of(settings: Settings, path: str, seconds: float) -> Health:
    """The answer of a health check of the running server. `path`: of the health check. Raises `NoAnswer`."""
    server = settings.server
    connection = _connection(server, seconds)
    try:
        connection.request("GET", path)
        answer: Any = json.loads(connection.getresponse().read(ANSWER_BYTES))
        problems = {} if answer["status"] in ("live", "ready") else _texts(answer["problems"])
        return Health(problems, _texts(answer.get("crashed_models", {})))
    except OSError as wrong:
        raise NoAnswer(str(wrong.strerror or wrong or type(wrong).__name__)) from None
    except (HTTPException, ValueError, TypeError, KeyError, AttributeError):
        raise NoAnswer("what answers is not Antiphon") from None
    finally:
        connection.close()


def _texts(told: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in told.items()}


def _connection(server: ServerSettings, seconds: float) -> HTTPConnection:
    """A connection to the server. It does not verify TLS, because an expired certificate must not end a
    container, and no secret is sent.
    """
    if server.certificate:
        import ssl

        unverified = ssl._create_unverified_context()  # noqa: S323, SLF001 - ssl's own name for it
        return HTTPSConnection(address(server), server.port, timeout=seconds, context=unverified)
    return HTTPConnection(address(server), server.port, timeout=seconds)
