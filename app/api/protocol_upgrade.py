"""Requests that ask for another protocol: which of them open a WebSocket, and what HTTP does with the others.

Law: pure; it judges and rewrites the head of a request.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

KEY_BYTES = 16
WEBSOCKET_VERSION = b"13"


def head_without_upgrade(
    method: bytes, url: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """The head of a request without its upgrade headers, which a server may ignore.

    RFC 9110, section 7.8. Java's HTTP client sends `Upgrade: h2c` with every first request, bodies included.
    """
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode())]
    for name, value in headers:
        kept = value
        if name == b"connection":
            options = (option.strip() for option in value.split(b","))
            kept = b", ".join(option for option in options if option.lower() != b"upgrade")
        if name != b"upgrade":
            lines.append(name + b": " + kept)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def is_handshake(method: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request can open a WebSocket: a GET with a key and no body (RFC 6455, section 4.1)."""
    given = dict(headers)
    try:
        key = base64.b64decode(given.get(b"sec-websocket-key", b""), validate=True)
    except ValueError:
        return False
    without_body = b"transfer-encoding" not in given and given.get(b"content-length", b"0") == b"0"
    version = given.get(b"sec-websocket-version")
    return method == b"GET" and without_body and len(key) == KEY_BYTES and version == WEBSOCKET_VERSION
