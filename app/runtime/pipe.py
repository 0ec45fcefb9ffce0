"""Frames between the server and a child process, over a socket pair.

Law: bytes and pickles only; the two ends, which are both this program, decide what a frame means; the socket
has no name, so that nobody else can write to it. Large arrays are sent beside the pickle (protocol 5): in
shared memory if the two ends have some and it is free, else through the socket. Every frame is bounded.

A frame: call number, kind, lengths; then the pickle; then its buffers, unless they are in shared memory.
"""

from __future__ import annotations

import fcntl
import logging
import pickle
import socket
import struct
import termios
import threading
import time
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

import numpy as np

from app.runtime.shared_buffer import SharedBuffer

log = logging.getLogger(__name__)
HEAD = struct.Struct("<QBIQQ")
"""The head of a frame: call number, kind, number of buffers, bytes of the pickle, and the number of the
buffers in shared memory, or 0.
"""
LENGTH = struct.Struct("<Q")
SEND_BUFFER_BYTES = 4 << 20
SMALL_BYTES = 64 << 10
"""Arrays of fewer bytes are sent within the pickle, because a separate buffer would cost
more than copying.
"""
MOST_BYTES = 2 << 30
MOST_BUFFERS = 1 << 16
MOST_PARTS = 512
"""The most buffers of one system call; the kernel accepts 1024."""
SEND_SECONDS = 60
"""Seconds after which a process that does not read counts as stuck."""
OFFER_SECONDS = 0.1
"""Seconds within which a process reads what is sent, unless it is stuck or stopped."""
SO_SNDBUFFORCE = 32
"""Linux's socket option for a send buffer above the system's limit; it needs the privilege CAP_NET_ADMIN."""


class FrameTooLarge(Exception):
    """A frame would have more bytes or buffers than is allowed."""


class FrameKind(IntEnum):
    """The kinds of frames."""

    OPEN = 1
    """To the child: load this engine."""
    DO = 2
    """To the child: do this `SentWork`."""
    KEEP = 3
    """To the child: keep this window, and compute its features. It has no answer."""
    CLOSE = 4
    """To the child: end."""
    DONE = 5
    """From the child: the result of a call."""
    FAILED = 6
    """From the child: the failure of a call."""
    PING = 7
    """To the child: send an answer as a sign of life. It carries numbers of windows that are no longer
    needed.
    """
    DROP = 8
    """To the gateway of a Ray cluster: nobody needs the answer of this call any more. It has no answer."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was received."""

    call: int
    kind: int
    value: Any


class Pipe:
    """One end of the pipe. Any thread may send, one thread receives."""

    def __init__(
        self,
        end: socket.socket,
        *,
        outgoing: SharedBuffer | None = None,
        incoming: SharedBuffer | None = None,
    ) -> None:
        """`outgoing`: memory that this end writes and the other end has as `incoming`. One end alone may
        write a buffer.
        """
        self._outgoing, self._incoming = outgoing, incoming
        self._socket = end
        self._sending = threading.Lock()
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_SECONDS, 0))

    @classmethod
    def inherited(cls, end: int, memory: int | None = None) -> Self:
        """The end that this process inherited: descriptors of the socket and, where there is some, of shared
        memory that the other end writes.
        """
        shared = None if memory is None else SharedBuffer(memory)
        if shared:
            shared.close_file()
        return cls(socket.socket(fileno=end), incoming=shared)

    def send(self, call: int, kind: FrameKind, value: object) -> int:
        """Sends one frame, and returns the number of its bytes.

        Raises `FrameTooLarge` before anything is sent, and `OSError` if the other end is gone or does not
        read; after that the pipe cannot be used any more.
        """
        frame = _packed(call, kind, value)
        with self._sending:
            self._send_all(frame.parts(self._outgoing))
        return frame.size

    def offer(self, call: int, kind: FrameKind, value: object) -> bool:
        """Sends the frame unless the other end does not read for `OFFER_SECONDS`.

        Returns whether it was sent. Raises as `send` does. A frame that is larger than the system's buffer
        waits as long as in `send`.
        """
        frame = _packed(call, kind, value)
        until = time.monotonic() + OFFER_SECONDS
        if not self._sending.acquire(timeout=OFFER_SECONDS):
            return False
        try:
            size = len(frame.data) if frame.goes_into(self._outgoing) else frame.size
            room = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - size
            while (unread := self._unread()) and unread > room:
                if time.monotonic() >= until:
                    return False
                time.sleep(OFFER_SECONDS / 100)
            self._send_all(frame.parts(self._outgoing))
        finally:
            self._sending.release()
        return True

    def _unread(self) -> int:
        """Bytes that the other end has not read yet; 0 if the system does not report it."""
        count = array("i", [0])
        with suppress(OSError, ValueError):  # if the socket was closed, sending will report it
            fcntl.ioctl(self._socket, termios.TIOCOUTQ, count)
        return count[0]

    def receive(self) -> Frame | None:
        """The next frame; None at the end of the stream, or if the bytes are not a valid frame."""
        try:
            call, kind, count, size, number = HEAD.unpack(self._read(HEAD.size))
            if count > MOST_BUFFERS or size > MOST_BYTES:
                return None
            lengths = [LENGTH.unpack(self._read(LENGTH.size))[0] for _ in range(count)]
            if size + sum(lengths) > MOST_BYTES:
                return None
            data = self._read(size)
            if number and self._incoming:
                buffers = self._incoming.take(number, lengths)
            else:
                buffers = [self._read(length) for length in lengths]
        except (EOFError, OSError, MemoryError):
            return None
        try:
            return Frame(call, kind, pickle.loads(data, buffers=buffers))  # noqa: S301 - both ends are ours
        except Exception:
            log.exception("a frame cannot be read")
            return None

    def close(self) -> None:
        """Closes this end; the other end sees the end of the stream."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._sending:  # else another file could get this descriptor number while a thread sends
            self._socket.close()
            outgoing, self._outgoing = self._outgoing, None
            if outgoing:
                outgoing.close()

    def _send_all(self, parts: Sequence[memoryview]) -> None:
        left = [part.cast("B") for part in parts if part.nbytes]
        while left:
            sent = self._socket.sendmsg(left[:MOST_PARTS])
            while left and sent >= left[0].nbytes:
                sent -= left.pop(0).nbytes
            if left and sent:
                left[0] = left[0][sent:]

    def _read(self, size: int) -> memoryview:
        """Reads exactly `size` bytes into a writable buffer, because engines need writable arrays. Raises
        `EOFError`.
        """
        whole = np.empty(size, np.uint8).data
        rest = whole
        while rest.nbytes:
            count = self._socket.recv_into(rest, 0, socket.MSG_WAITALL)
            if not count:
                raise EOFError
            rest = rest[count:]
        return whole


@dataclass(frozen=True, slots=True)
class _Packed:
    """A frame that is ready to be sent."""

    call: int
    kind: FrameKind
    data: bytes
    buffers: list[memoryview]

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return len(self.data) + sum(buffer.nbytes for buffer in self.buffers)

    def goes_into(self, shared: SharedBuffer | None) -> bool:
        """Whether shared memory takes the buffers now."""
        return shared is not None and shared.takes(self.buffers)

    def parts(self, shared: SharedBuffer | None) -> list[memoryview]:
        """What goes through the socket."""
        lengths = b"".join(LENGTH.pack(buffer.nbytes) for buffer in self.buffers)
        number = shared.put(self.buffers) if shared and self.goes_into(shared) else 0
        head = HEAD.pack(self.call, self.kind, len(self.buffers), len(self.data), number)
        return [memoryview(head + lengths), memoryview(self.data), *([] if number else self.buffers)]


def _packed(call: int, kind: FrameKind, value: object) -> _Packed:
    """The frame of a value. Raises `FrameTooLarge`."""
    buffers: list[memoryview] = []

    def travels_within(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < SMALL_BYTES or len(buffers) >= MOST_BUFFERS:
            return True
        buffers.append(raw)
        return False

    frame = _Packed(call, kind, pickle.dumps(value, protocol=5, buffer_callback=travels_within), buffers)
    if frame.size > MOST_BYTES:
        raise FrameTooLarge(f"{frame.size} bytes")
    return frame
