"""The server that runs on this machine, asked over HTTP for its health."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from ssl import SSLContext

    from app.settings import Settings
    from app.settings.server import ServerSettings

ANSWER_BYTES = 1 << 20
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
"""Addresses that mean "all addresses of this machine", and the address at which this machine reaches such a
server.
"""


class NoAnswer(Exception):
    """No Antiphon server answers at the address; the message says what happened."""


def address(server: ServerSettings) -> str:
    """The address at which this machine reaches the server."""
    host = server.host.strip("[]")
    return EVERYWHERE.get(host, host)


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


def trusting_its_certificate(certificate: Path) -> SSLContext:
    """A TLS context that trusts only the server's own certificate and ignores its host name, so that the key
    is sent to no other server.

    Raises `OSError`.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context


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
