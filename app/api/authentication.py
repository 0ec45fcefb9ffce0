"""Authentication: who calls, by the API key or client secret in a header or in a WebSocket handshake.

Law: plain ASGI. Who calls is found out here; what they may do is decided by `required_scopes.py`.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import error_envelope, required_scopes
from app.api.access_log import CALLER
from app.errors import ApiError, Unauthorized
from app.services.client_secrets import PREFIX, ClientSecretService
from app.services.keys import KeyService
from app.services.refused_logins import RefusedLogins

OPENED_BY = "antiphon.opened_by"
"""Key of the ASGI scope that holds the client secret which opened a WebSocket."""
KEY_PROTOCOL = "openai-insecure-api-key."
"""Prefix of the subprotocol that carries the API key: browsers cannot send headers with a WebSocket."""
LIVE = "/v1/realtime"
"""The only path that accepts client secrets."""


class KeyCheck:
    """Checks the API key before any other check, on every path but those that are open to everybody."""

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyService,
        secrets: ClientSecretService,
        refused: RefusedLogins,
        *,
        page: bool,
    ) -> None:
        """`page`: whether the web page is served."""
        self._app = app
        self._keys = keys
        self._secrets = secrets
        self._refused = refused
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not required_scopes.is_open(
            scope["path"], page=self._page
        ):
            try:
                await self._authenticate(scope)
            except ApiError as refused:
                if isinstance(refused, Unauthorized):
                    self._refused.note((scope.get("client") or ("unknown",))[0])
                await error_envelope.response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> None:
        """Finds the caller and stores it in the scope. Raises `Unauthorized` or `StorageUnavailable`."""
        header = Headers(scope=scope).get("authorization")
        if scope["type"] == "websocket":
            header = header or _key_protocol(scope)
            secret = (header or "").partition(" ")[2].strip()
            if scope["path"] == LIVE and secret.startswith(PREFIX):
                scope[OPENED_BY] = found = await self._secrets.find(secret)
                scope[CALLER] = found.caller
                return
        scope[CALLER] = await self._keys.authenticate(header)


def _key_protocol(scope: Scope) -> str | None:
    """The API key among the subprotocols of a WebSocket, written as in an Authorization header."""
    for offered in scope.get("subprotocols", []):
        if offered.startswith(KEY_PROTOCOL):
            return f"Bearer {offered.removeprefix(KEY_PROTOCOL)}"
    return None
