"""The list of connections that wait for their clients, and the limits of all connections.

Law: values and an ordered list; `http_connections.py` measures the times and ends connections.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol


class WaitingConnection(Protocol):
    """A connection that waits for its client."""

    def end(self) -> None:
        """Ends the connection."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """The limits of one connection."""

    connections: int
    """The most open connections. A new one beyond this ends the connection that has waited longest."""
    header_bytes: int
    header_count: int
    header_seconds: float
    """Seconds for the head of a request, and for the rest of a body whose request was answered before its
    end.
    """
    idle_seconds: float
    """Seconds that a connection may wait between two requests."""
    download_idle_seconds: float
    """A connection is ended if its client reads no byte of the answer for so many seconds."""


class ConnectionBook:
    """The connections that wait for their clients, longest first, and the limits of all."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.stopping = False
        """Whether the server is stopping: each connection then gets at most one more answer."""
        self._waiting: OrderedDict[WaitingConnection, None] = OrderedDict()

    def wait(self, connection: WaitingConnection) -> None:
        """Notes that the connection waits for its client from now on."""
        self._waiting[connection] = None
        self._waiting.move_to_end(connection)

    def leave(self, connection: WaitingConnection) -> None:
        """Notes that the connection does not wait any more: it has a request to answer, or it is closed."""
        self._waiting.pop(connection, None)

    def make_place(self) -> bool:
        """Ends the connection that has waited longest. Returns False if none waits."""
        if not self._waiting:
            return False
        self._waiting.popitem(last=False)[0].end()
        return True
