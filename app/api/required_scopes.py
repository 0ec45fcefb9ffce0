"""Which paths need a key, and with which scope.

Law: closed by default. A path that is not named here needs a key; `tests/api/test_keys.py` holds that every
route is named.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import error_envelope
from app.api.access_log import CALLER
from app.domain import Caller
from app.errors import ApiError
from app.services.keys import check_scope

OPEN = frozenset({"/health", "/health/live", "/health/ready"})
"""Paths for health probes, which have no key; their answers hold no secret."""
PAGE, PAGE_FILES = "/", "/studio"
Scopes = tuple[str, ...]
READING = ("GET", "HEAD")
RULES: tuple[tuple[str, Scopes, Scopes], ...] = (
    ("/v1/audio/transcriptions", ("transcribe",), ("transcribe",)),
    ("/v1/audio/translations", ("transcribe",), ("transcribe",)),
    ("/v1/realtime", ("transcribe",), ("transcribe",)),
    ("/v1/audio/speech", ("speak",), ("speak",)),
    ("/v1/audio/voices", ("read", "voices"), ("voices",)),
    ("/v1/audio/voice_consents", ("read", "voices"), ("voices",)),
    ("/v1/audio/models", ("read",), ("read",)),
    ("/v1/models", ("read",), ("read",)),
    ("/v1/about", ("read",), ("read",)),
    ("/openapi.json", ("read",), ("read",)),
    ("/metrics", ("metrics",), ("metrics",)),
)
"""For a path and everything below it: the scopes for reading, and the scopes for other methods. A key needs
one of them.
"""


def is_open(path: str, *, page: bool) -> bool:
    """Whether a path needs no key. `page`: whether the web page is served."""
    return path in OPEN or (page and (path == PAGE or _is_below(path, PAGE_FILES)))


def scopes_of(method: str, path: str) -> Scopes | None:
    """The scopes of which a key needs one. None if the path has no rule, so that any valid key may use it."""
    for prefix, to_read, to_change in RULES:
        if path == prefix or _is_below(path, prefix):
            return to_read if method in READING else to_change
    return None


class ScopeCheck:
    """Refuses a request if the caller's key has none of the scopes that its path needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get(CALLER)
        if caller is not None:
            needed = scopes_of(scope.get("method", "GET"), scope["path"])
            try:
                check_scope(caller, needed or ())
            except ApiError as refused:
                await error_envelope.response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")
