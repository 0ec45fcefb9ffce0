"""Applies the limits of keys to every request that has a caller.

Law: plain ASGI, which runs after the check of the key. Scopes are checked later (`required_scopes.py`), so
that a request that is refused there counts too.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import error_envelope
from app.api.access_log import CALLER
from app.domain import Caller
from app.errors import ApiError
from app.services.steps.key_limits import KeyAccount
from app.services.steps.key_spending import spending_on
from app.services.usage import UsageService

STARTS = ("http.response.start", "websocket.http.response.start", "websocket.accept")


class UseCount:
    """Counts each request under its key, and refuses what the key's limits do not allow."""

    def __init__(self, app: ASGIApp, usage: UsageService) -> None:
        self._app = app
        self._usage = usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get(CALLER)
        if caller is None:
            await self._app(scope, receive, send)
            return
        account = await self._usage.account(caller)

        async def answer(message: Message) -> None:
            if message["type"] in STARTS:
                _tell(account, MutableHeaders(scope=message))
            await send(message)

        try:
            account.begin()
        except ApiError as refused:
            await error_envelope.response(refused)(scope, receive, answer)
            return
        try:
            with spending_on(account):
                await self._app(scope, receive, answer)
        finally:
            account.end()


def _tell(account: KeyAccount, headers: MutableHeaders) -> None:
    """Adds OpenAI's rate limit headers, if the key has a limit of requests."""
    if rate := account.rate:
        headers["x-ratelimit-limit-requests"] = str(rate.limit)
        headers["x-ratelimit-remaining-requests"] = str(rate.remaining)
        headers["x-ratelimit-reset-requests"] = f"{rate.reset:.3g}s"
