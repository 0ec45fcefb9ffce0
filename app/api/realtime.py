"""/v1/realtime: live transcription over WebSocket.

Law: every refusal is an HTTP answer before the upgrade; after it, errors are events and do not close.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.responses import Response

from app.api import error_envelope
from app.api.authentication import OPENED_BY
from app.api.deps import Intake, IntakeOf, Services
from app.api.host_and_origin import is_allowed
from app.api.live_outbox import Outbox, SlowReader
from app.api.live_settings import changed_settings, check_enabled
from app.api.websocket_connections import END, LEFT, REST
from app.domain.live import LiveEvent, LiveSettings
from app.errors import (
    ApiError,
    InvalidRequest,
    InvalidValue,
    OriginNotAllowed,
    ShuttingDown,
    UpgradeRequired,
)
from app.logs import note
from app.services.steps.live_session import LiveSession
from app.services.use_cases import UseCases
from app.wire import realtime_events as wire
from app.wire.realtime_session import unfit_model, updated

log = logging.getLogger(__name__)
router = APIRouter(tags=["realtime"])
PROTOCOL = "realtime"
BETA_PROTOCOL = "openai-beta.realtime-v1"
LONG_FRAME = 65_536
"""Frames with more characters than this are parsed on a work thread."""
LAST_EVENT_SECONDS = 1.0
"""Seconds that a client gets to read the last event before the close."""
GOING_AWAY, POLICY_VIOLATION, INTERNAL_FAULT, SERVICE_RESTART = 1001, 1008, 1011, 1012
REFUSED_MODEL = 4000
"""The code with which OpenAI closes a connection whose model is refused."""


@router.get("/realtime")
async def needs_upgrade(intake: IntakeOf) -> Response:
    """Open a live session: a WebSocket whose frames are JSON events, as docs/realtime.md says."""
    check_enabled(intake)
    raise UpgradeRequired


@router.websocket("/realtime")
async def realtime(socket: WebSocket, services: Services, intake: IntakeOf) -> None:
    """One live session."""
    try:
        settings = _asked(socket, services, intake)
        with services.live_sessions.place():
            await _Conversation(socket, services, intake).run(settings)
    except ApiError as refused:
        await error_envelope.response(refused)(socket.scope, socket.receive, socket.send)


def _asked(socket: WebSocket, services: UseCases, intake: Intake) -> LiveSettings:
    """The settings with which a session begins. Raises `ApiError`."""
    check_enabled(intake)
    origin, origins = socket.headers.get("origin"), intake.realtime.origins
    if origin is not None and origins and not is_allowed(origin, origins):
        raise OriginNotAllowed(origin)
    query = socket.query_params
    if query.get("intent", "transcription") != "transcription":
        raise InvalidValue("This server has one intent: 'transcription'.", param="intent")
    if "call_id" in query:
        raise InvalidRequest(
            "This server has no calls over WebRTC or SIP, so `call_id` means nothing to it.",
            param="call_id",
            code="unsupported_parameter",
        )
    secret = socket.scope.get(OPENED_BY)
    settings = secret.settings if secret else services.live.defaults
    if model := query.get("model"):
        if intake.transcriptions.strict and "intent" in query:
            raise unfit_model(model, "model")
        services.live.model(model)
        change = {"input_audio_transcription": {"model": model}}
        settings = updated(settings, change, settings, beta=True)
    note(model=settings.model[:100])
    return settings


class _Conversation:
    """One WebSocket connection, from its upgrade to its end."""

    def __init__(self, socket: WebSocket, services: UseCases, intake: Intake) -> None:
        self._socket = socket
        self._services = services
        self._intake = intake
        self._rules = intake.realtime
        offered = socket.scope.get("subprotocols", [])
        self._protocol = PROTOCOL if PROTOCOL in offered else None
        beta = BETA_PROTOCOL in offered or "realtime=v1" in socket.headers.get("openai-beta", "")
        seconds = min(self._rules.session_seconds, intake.limits.request_seconds)
        self._seconds = seconds
        self._shown = wire.Shown(f"sess_{secrets.token_hex(12)}", int(time.time() + seconds), beta)
        self._outbox = Outbox(
            self._socket.send_text, most=self._rules.unread_bytes, seconds=self._rules.unread_seconds
        )
        self._session: LiveSession | None = None
        self._refused = False

    async def run(self, settings: LiveSettings) -> None:
        """Opens the session and serves it to its end. Raises `ApiError` only before the upgrade."""
        self._session = await self._services.live.open(settings, self._tell)
        try:
            await self._socket.accept(self._protocol)
            self._outbox.put(wire.session_event("created", self._shown, settings))
            await self._talk(self._session)
        finally:
            await self._session.close()

    async def _talk(self, session: LiveSession) -> None:
        reading = asyncio.ensure_future(self._read(session))
        sending = asyncio.ensure_future(self._outbox.run())
        stopping = asyncio.ensure_future(self._services.live_sessions.stopping.wait())
        left = self._socket.scope.get("extensions", {}).get(LEFT, {}).get("left", asyncio.Event().wait)
        gone = asyncio.ensure_future(left())
        tasks = (reading, sending, stopping, gone)
        # The permit's time began before the model was loaded, so it may be over before that of the session.
        seconds = min(self._seconds, session.left - LAST_EVENT_SECONDS)
        try:
            await asyncio.wait(tasks, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
            if reading.done() or not gone.done():
                await self._leave(session, reading, sending, stopping)
        except SlowReader:
            await self._end(POLICY_VIOLATION, "events were not read")
        except (asyncio.CancelledError, OSError):  # the server stops at once, or the socket is gone
            await session.give_up(ShuttingDown())
            await self._last_words(sending)
            await self._end(SERVICE_RESTART, "the server stops")
        except Exception as failure:  # noqa: BLE001 - a fault of ours; the client is told and the trace logged
            error_envelope.internal(failure)
            await self._end(INTERNAL_FAULT, "the server had an error")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _leave(
        self,
        session: LiveSession,
        reading: asyncio.Future[None],
        sending: asyncio.Future[None],
        stopping: asyncio.Future[Any],
    ) -> None:
        """Ends the connection in the way that fits the task that ended first, and raises the exception of
        that task.
        """
        if reading.done():
            reading.result()  # the client has left
            if self._refused:
                await self._last_words(sending)
                await self._end(REFUSED_MODEL, "invalid_request_error.invalid_model")
            return
        if sending.done():
            sending.result()
            return
        reading.cancel()
        if stopping.done():
            await self._finish(session, sending)
            await self._end(SERVICE_RESTART, "the server stops")
        else:
            await self._expire(session, sending)

    async def _finish(self, session: LiveSession, sending: asyncio.Future[None]) -> None:
        """At a shutdown of the server: gives audio that was committed before it some seconds to be
        transcribed. What is not complete then fails.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._rules.shutdown_seconds):
                await session.settled()
                await self._flushed(sending)
        await session.give_up(ShuttingDown())
        await self._last_words(sending)

    async def _expire(self, session: LiveSession, sending: asyncio.Future[None]) -> None:
        minutes = self._seconds / 60
        message = f"Your session hit the maximum duration of {minutes:g} minutes."
        expired = InvalidRequest(message, code="session_expired")
        await session.give_up(expired)
        self._outbox.put(wire.error_event(expired))
        await self._last_words(sending)
        await self._end(GOING_AWAY, "session expired")

    async def _last_words(self, sending: asyncio.Future[None]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_EVENT_SECONDS):
                await self._flushed(sending)

    async def _flushed(self, sending: asyncio.Future[None]) -> None:
        emptied = asyncio.ensure_future(self._outbox.emptied())
        await asyncio.wait({sending, emptied}, return_when=asyncio.FIRST_COMPLETED)
        emptied.cancel()

    async def _end(self, code: int, reason: str) -> None:
        """Closes the connection with a code and a reason, also if the client does not read."""
        extension: dict[str, Any] | None = self._socket.scope.get("extensions", {}).get(END)
        if extension:
            extension["end"](code, reason)
            return
        with suppress(Exception):
            await self._socket.close(code, reason)

    async def _read(self, session: LiveSession) -> None:
        """Reads events of the client until it leaves, or until an event for which OpenAI closes the
        connection.
        """
        rest = self._socket.scope.get("extensions", {}).get(REST, {}).get("rest")
        while True:
            if rest:
                rest(session.rest)
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame: str | bytes = text if text is not None else message.get("bytes") or b""
            cause: str | None = None
            try:
                if len(frame) > LONG_FRAME:
                    cause, event = await self._services.bodies.parsed(lambda frame=frame: _event(frame))  # type: ignore[misc]
                else:
                    raw = wire.decoded(frame)
                    cause = wire.event_id(raw)
                    event = wire.client_event(raw)
                await self._obey(session, event)
            except _Unreadable as wrong:
                self._outbox.put(wire.error_event(wrong.error, wrong.cause))
            except ApiError as wrong:
                self._outbox.put(wire.error_event(wrong, cause))
                if wrong.code == "invalid_model" and self._intake.transcriptions.strict:
                    self._refused = True
                    return

    async def _obey(self, session: LiveSession, event: wire.ClientEvent) -> None:
        """Carries out an event of the client. Raises `ApiError`."""
        if isinstance(event, wire.Append):
            await session.append(event.data)
        elif isinstance(event, wire.Commit):
            session.commit()
        elif isinstance(event, wire.Clear):
            session.clear()
            self._outbox.put(wire.cleared())
        else:
            settings = changed_settings(
                self._services, self._intake, session.settings, event.session, beta=event.beta
            )
            session.update(settings)
            self._outbox.put(wire.session_event("updated", self._shown, settings))

    def _tell(self, event: LiveEvent) -> None:
        for shape in wire.server_events(event, beta=self._shown.beta):
            self._outbox.put(shape)


class _Unreadable(Exception):
    """An event that a work thread has read is not valid. It holds the error and the
    client's id of the event.
    """

    def __init__(self, error: ApiError, cause: str | None) -> None:
        super().__init__(error.message)
        self.error = error
        self.cause = cause


def _event(frame: str | bytes) -> tuple[str | None, wire.ClientEvent]:
    """Reads a long frame: the client's id of the event, and the event. Blocks. Raises `_Unreadable`."""
    raw = wire.decoded(frame)
    cause = wire.event_id(raw)
    try:
        return cause, wire.client_event(raw)
    except ApiError as wrong:
        raise _Unreadable(wrong, cause) from None
