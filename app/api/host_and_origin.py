"""What web pages may do: which names the server answers to, and pages of which origins it serves.

Law: browsers enforce these rules for their users; other clients can send any header. With API keys a
page needs one, and no browser adds a key by itself: so the checks are for servers without keys.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import error_envelope
from app.errors import ApiError, HostNotAllowed, OriginNotAllowed
from app.services.keys import KeyService
from app.settings.server import ServerSettings, is_loopback

ANY = "*"
EXPOSED = (
    "x-request-id",
    "openai-processing-ms",
    "retry-after",
    "x-antiphon-ignored",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
)
UNCHECKED = ("/health", "/health/live", "/health/ready")
"""Paths of health probes, which may use any host name: their answers hold nothing that is useful to a web
page.
"""
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]@/\s]+)(:\d{1,5})?")


class BrowserCheck:
    """While there are no keys: refuses foreign names in `Host` (DNS rebinding) and other sites."""

    def __init__(self, app: ASGIApp, rules: ServerSettings, keys: KeyService) -> None:
        self._app = app
        self._keys = keys
        self._hosts = {host.lower() for host in rules.allowed_hosts}
        self._origins = rules.cors_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"] not in UNCHECKED:
            try:
                if not await self._keys.asks_for_keys():
                    self._check(scope)
            except ApiError as refused:
                await error_envelope.response(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Checks `Host` and the origin. Raises `HostNotAllowed` or `OriginNotAllowed`."""
        headers = Headers(scope=scope)
        for host in headers.getlist("host"):  # a client without this header is not a browser
            if not self._answers_to(host.lower()):
                raise HostNotAllowed(host)
        origin = headers.get("origin")
        if origin is not None:
            if not (is_same_origin(origin, headers) or is_allowed(origin, self._origins)):
                raise OriginNotAllowed(origin)
        elif headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _is_visit(scope, headers):
            raise OriginNotAllowed(headers.get("referer", "another site"))

    def _answers_to(self, host: str) -> bool:
        parts = _HOST.fullmatch(host)
        return ANY in self._hosts or bool(parts and (parts[1] in self._hosts or is_loopback(parts[1])))


class Cors(CORSMiddleware):
    """Starlette's CORS middleware for `server.cors_origins`; a refusal is OpenAI's error envelope."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("DELETE", "GET", "HEAD", "POST"),
            allow_headers=(ANY,),
            allow_private_network=True,  # a page from the internet may call a server in a private network
            expose_headers=EXPOSED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        origin = request_headers["origin"]
        if not self.is_allowed_origin(origin):
            return error_envelope.response(OriginNotAllowed(origin))
        return super().preflight_response(request_headers)


def is_same_origin(origin: str, headers: Headers) -> bool:
    """Whether the request comes from a page of this server itself."""
    return origin.partition("://")[2].lower() == headers.get("host", "").lower() != ""


def is_allowed(origin: str, origins: Collection[str]) -> bool:
    return ANY in origins or origin in origins


def _is_visit(scope: Scope, headers: Headers) -> bool:
    """Whether the request follows a link from another site: it changes nothing, and the other page cannot
    read the answer.
    """
    visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return visit and scope["method"] in ("GET", "HEAD")
