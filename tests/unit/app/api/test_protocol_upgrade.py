"""Which requests open a WebSocket."""

from __future__ import annotations

import pytest

from app.api.protocol_upgrade import is_handshake

KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
VERSION = (b"sec-websocket-version", b"13")


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        (b"GET", [KEY, VERSION], True),
        (b"GET", [KEY, VERSION, (b"content-length", b"0")], True),
        (b"POST", [KEY, VERSION], False),
        (b"GET", [KEY], False),
        (b"GET", [VERSION], False),
        (b"GET", [KEY, (b"sec-websocket-version", b"8")], False),
        (b"GET", [(b"sec-websocket-key", b"a"), VERSION], False),
        (b"GET", [(b"sec-websocket-key", b"!" * 24), VERSION], False),
        (b"GET", [KEY, VERSION, (b"content-length", b"5")], False),
        (b"GET", [KEY, VERSION, (b"transfer-encoding", b"chunked")], False),
    ],
)
def test_a_handshake_is_whole(method: bytes, headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    assert is_handshake(method, headers) is expected
