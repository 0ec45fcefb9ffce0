"""WebSocket connections with bounds on what a client can make the server hold.

Law: no route and no service is known here. uvicorn's protocol speaks WebSocket; this class adds bounds on
what it buffers without one, and ends connections whose client does not read.
"""

from __future__ import annotations

import asyncio
import logging
import math
import select
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

QUIET_LOG = logging.getLogger("uvicorn.websocket")
"""uvicorn's log lines about a connection contain the query of its URL; ours (`api/every_request`) do not."""
QUIET_LOG.setLevel(logging.WARNING)
MESSAGE_BYTES = 24 * 2**20
"""The largest message; base64 of 15 MiB of sound fits. A larger one closes the connection with 1009."""
PING_SECONDS = 20.0
CATCH_UP_SECONDS = 1.0
"""If reading brings nothing for this long, the socket is empty. Also the seconds between two checks whether a
pong has come.
"""
LITTLE_BYTES = 2**14
"""A read that brings fewer bytes has brought all that there was: after a long pause, the system holds a whole
receive window, which is at least four times as much.
"""
MOST_FRAGMENTS = 10_000
"""The most frames of one message: without a limit, empty frames would use up the memory."""
UNREAD_BYTES = 4 * 2**20
"""The most bytes that were sent and that the client has not read, including answers to its pings."""
LINGER_SECONDS = 5.0
"""Seconds that the client gets to read the close frame."""
PIECE_BYTES = 4 * 2**10
"""Bytes that are parsed in one turn of the event loop. 40,000 frames fit into one read of 256 kB."""
TOGETHER_SECONDS = 0.1
"""Sockets that are read after a pause are read at multiples of so many seconds of the loop's time, so that
one turn of the event loop serves many of them.
"""
REST_BYTES, REST_MESSAGES = 32 * 2**10, 8
"""The same for a client whose sound is silence, and the number of messages that are received in one turn."""
BURST_BYTES = 2**16
"""A client that sends so many bytes between two reads sends faster than people speak; its socket is read
without pauses.
"""
WATCH_SECONDS = 1.0
"""How often a connection whose messages wait is checked for a client that has left. Its socket is not read
then, so nothing else would tell.
"""
_HUNG_UP = getattr(select, "POLLRDHUP", 0)
"""The system's flag for a client that has closed its side; 0 where there is none."""
END = "antiphon.end"
"""ASGI extension: a callable that ends the connection with a code, also while its client does not read."""
LEFT = "antiphon.left"
"""ASGI extension: a coroutine function that returns once the connection has ended, even if messages wait."""
REST = "antiphon.rest"
"""ASGI extension: a callable after which the socket is not read for some seconds, once what has been read is
received. What the client sends meanwhile is then read in one go, which takes a fraction of the time.
"""


class Socket(WebSocketsSansIOProtocol):
    """One WebSocket connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.debug = False  # it would log every frame, with its audio and its text
        self.logger = QUIET_LOG
        self._deaf = False  # set after an invalid frame: everything that follows is dropped
        self._unread = b""  # bytes that were read and are not parsed yet; reading is paused meanwhile
        self._pause = 0.0  # seconds between two reads while nobody speaks
        self._burst = False
        self._waking: asyncio.TimerHandle | None = None
        self._left = asyncio.Event()
        self._watching: asyncio.TimerHandle | None = None
        self._received = 0  # number of messages received
        self._caught_up = 0.0  # time of the loop when everything that the client had sent was read last
        self._active = 0.0  # time of the loop when something was read, or reading was resumed, last

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._burst = len(data) >= BURST_BYTES
        self._active = self.loop.time()
        if len(data) < LITTLE_BYTES:
            self._caught_up = self._active
        waits = bool(self._unread)
        self._unread += data
        if not waits:
            self._parse()

    async def receive(self) -> Any:
        """The next message. After the last one, reading the socket is resumed, if
        necessary after the pause.
        """
        self._received += 1
        together = self._pause and self._received % REST_MESSAGES
        if not self.queue.empty() and not together:
            await asyncio.sleep(0)  # one read may hold thousands of messages: others are served between them
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            if self._unread:
                self.read_paused = False  # reading from the socket goes on once this is parsed
            elif self._pause and not self._burst:
                self._waking = self._waking or self.loop.call_at(self._next_read(), self._wake)
            else:
                self._wake()
        return message

    def _next_read(self) -> float:
        return math.ceil((self.loop.time() + self._pause) / TOGETHER_SECONDS) * TOGETHER_SECONDS

    def _parse(self) -> None:
        """Parses a piece of the bytes that were read. The next piece is parsed in another turn of the event
        loop, so that other clients are served in between.
        """
        size = REST_BYTES if self._pause else PIECE_BYTES
        piece, self._unread = self._unread[:size], self._unread[size:]
        if not self.transport.is_closing():
            super().data_received(piece)
        if len(self.frames) > MOST_FRAGMENTS or self.transport.get_write_buffer_size() > UNREAD_BYTES:
            self.transport.abort()
        if self._deaf or self.transport.is_closing():
            self._unread = b""
        elif self._unread:
            self.transport.pause_reading()
            self.loop.call_soon(self._parse)
        elif not self.read_paused:
            self.transport.resume_reading()

    def handle_parser_exception(self) -> None:
        """Does what uvicorn does, but without closing at once: that would reset a connection with unread
        data, and the client would not see the code.
        """
        ended = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": ended.code if ended else 1002})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = self._deaf = True
        self.stop_keepalive()
        self.read_paused = False
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions = cast("dict[str, Any]", self.scope["extensions"])
            extensions[END] = {"end": self._end}
            extensions[REST] = {"rest": self._rest}
            extensions[LEFT] = {"left": self._left.wait}
            self._watch()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # the upgrade was refused; without this line uvicorn logs an error
        if message["type"] == "websocket.close":
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pause = 0.0
        for timer in (self._waking, self._watching):
            if timer:
                timer.cancel()
        self._left.set()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Ends the connection if the client has left while its messages wait. Repeats itself."""
        if self.read_paused and not self.queue.empty() and self._has_hung_up():
            self.transport.abort()
        else:
            self._watching = self.loop.call_later(WATCH_SECONDS, self._watch)

    def _has_hung_up(self) -> bool:
        socket = self.transport.get_extra_info("socket")
        if not _HUNG_UP or socket is None or self.transport.is_closing():
            return False
        poll = select.poll()
        poll.register(socket.fileno(), _HUNG_UP)
        return bool(poll.poll(0))

    def _rest(self, seconds: float) -> None:
        """Waits `seconds` before each further read from now on; 0 ends the waiting."""
        self._pause = seconds
        if not seconds and self._waking:
            self._wake()

    def _wake(self) -> None:
        if self._waking:
            self._waking.cancel()
            self._waking = None
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self._active = self.loop.time()
            self.transport.resume_reading()

    def keepalive_timeout(self) -> None:
        """Closes the connection if no pong has come and the socket was read to its end. While input is left
        unread because the model is behind, the pong may lie behind it, so the check is repeated.
        """
        now = self.loop.time()
        if not self.read_paused and now - self._active >= CATCH_UP_SECONDS:
            self._caught_up = now
        if self._unread or self._caught_up < self.ping_sent_at + (self.ping_timeout or 0.0):
            self.pong_timer = self.loop.call_later(CATCH_UP_SECONDS, self.keepalive_timeout)
        else:
            super().keepalive_timeout()

    def _end(self, code: int, reason: str) -> None:
        if self.disconnected or self.close_sent or not self.handshake_complete:
            return
        self.stop_keepalive()
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        # The client may still send: a socket that is closed with unread data resets the connection, and the
        # client would never see the code. From now on messages are read and dropped.
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
