"""uvicorn's HTTP server, with limits on connections and a shutdown that answers every client.

Law: start and shutdown are decided here; the limits of a connection are in `http_connections.py`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from app.api.http_connections import FIRST_REQUEST_SECONDS, Connection, protocol
from app.api.open_files import affordable_connections
from app.api.tls import certificate_of
from app.api.waiting_connections import ConnectionBook, ConnectionLimits
from app.api.websocket_connections import MESSAGE_BYTES, PING_SECONDS, Socket
from app.settings import Settings

log = logging.getLogger(__name__)
FAREWELL_SECONDS = 5.0
"""After the grace period of a shutdown, cancelled requests have so many seconds to send
their last answers.
"""


class Server(uvicorn.Server):
    """Serves one application."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        server = settings.server
        self._book = ConnectionBook(_connection_limits(settings))
        config = uvicorn.Config(
            app,
            http=protocol(self._book),
            ws=Socket if settings.realtime.enabled else "none",
            ws_max_size=MESSAGE_BYTES,
            # a compressed frame may grow a thousandfold, and uvicorn would decompress it on the event loop
            ws_per_message_deflate=False,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=max(1, round(server.idle_seconds)),
            timeout_graceful_shutdown=1,  # for connections that `shutdown` has not closed
        )
        self._certificate = certificate_of(server)
        if self._certificate:
            context = self._certificate.context
            config.ssl_context_factory = lambda *_: context
            app.state.services.meters.certificate(self._certificate.expires)
        super().__init__(config)
        self._app = app
        self._grace = server.shutdown_seconds
        self._handshake_seconds = server.header_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts as uvicorn does, and limits the time of TLS handshakes, which uvicorn does not: it is the
        limit for the head of a request.
        """
        if self._certificate:
            loop: Any = asyncio.get_running_loop()
            loop.create_server = partial(loop.create_server, ssl_handshake_timeout=self._handshake_seconds)
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            self._check_connections()
            self._refresh_certificate()
        return await super().on_tick(counter)

    def _refresh_certificate(self) -> None:
        if self._certificate and self._certificate.refresh():
            self._app.state.services.meters.certificate(self._certificate.expires)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets running requests end. After the grace period it cancels the rest: their clients get an answer
        from `LastResort`, or the last frame of their stream.
        """
        await self._stop_listening(sockets or [])
        # Live sessions end by themselves, within `realtime.shutdown_seconds`.
        self._app.state.services.live_sessions.stopping.set()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.shutdown()
        await self._settled(self._grace)
        self._app.state.stopping = True
        for task in list(self.server_state.tasks):
            task.cancel()
        await self._settled(FAREWELL_SECONDS)
        await super().shutdown(sockets)

    async def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Stops listening. It first takes the connections that the kernel has already accepted, because
        closing the socket would reset them.
        """
        self._book.stopping = True
        await asyncio.sleep(0)
        waiting = [connection for listening in sockets for connection in _accepted(listening)]
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()
        loop = asyncio.get_running_loop()
        seconds = self._handshake_seconds if self._certificate else None
        protocol_of = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        make = partial(protocol_of, self.config, self.server_state, self.lifespan.state)
        opened = (
            loop.connect_accepted_socket(make, one, ssl=self.config.ssl, ssl_handshake_timeout=seconds)
            for one in waiting
        )
        taken = asyncio.gather(*opened, return_exceptions=True)  # a client may have left meanwhile
        await asyncio.wait([taken], timeout=FIRST_REQUEST_SECONDS)  # one that is silent in its TLS handshake

    async def _settled(self, seconds: float) -> None:
        """Returns when all requests are answered, when the given seconds are over, or at a second Ctrl-C."""
        until = time.monotonic() + seconds
        while self.server_state.connections or self.server_state.tasks:
            if time.monotonic() >= until or self.force_exit:
                return
            self._check_connections()
            await asyncio.sleep(0.05)

    def _check_connections(self) -> None:
        now = time.monotonic()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):  # WebSocket connections are of another class
                try:
                    connection.check(now)
                except Exception:  # one connection must not end the server
                    log.exception("a connection could not be checked")
                    connection.transport.abort()


def _accepted(listening: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait in the queue of a non-blocking listening socket."""
    with suppress(OSError):
        while True:
            yield listening.accept()[0]


def _connection_limits(settings: Settings) -> ConnectionLimits:
    server, limits = settings.server, settings.limits
    return ConnectionLimits(
        connections=affordable_connections(settings),
        header_bytes=server.header_bytes,
        header_count=server.header_count,
        header_seconds=server.header_seconds,
        idle_seconds=server.idle_seconds,
        download_idle_seconds=limits.download_idle_seconds,
    )
