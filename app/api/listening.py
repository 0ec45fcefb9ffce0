"""Sockets that listen, before there is a server for them.

Law: imports no web library, so that an address that cannot be used is found at once.
"""

from __future__ import annotations

import errno
import socket

from app.settings.base import SettingsError


class CannotListen(SettingsError):
    """The address cannot be used; the message says what to do."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of `host`. Raises `CannotListen`."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            bound = socket.socket(family, kind, protocol)
            sockets.append(bound)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind(address)
            bound.listen(2048)
    except (OSError, ValueError) as wrong:  # ValueError: the text cannot be a host name
        for opened in sockets:
            opened.close()
        raise CannotListen(_reason(wrong, host, port)) from None
    return sockets


def _reason(wrong: Exception, host: str, port: int) -> str:
    number = getattr(wrong, "errno", None)
    if number == errno.EADDRINUSE:
        return f"Port {port} is taken. Set `server.port` or --port."
    if number == errno.EACCES:
        return f"Port {port} is not allowed to this user. Set `server.port` or --port to one from 1024 on."
    return f"This machine has no address `{host[:100]}`. Set `server.host` or --host."
