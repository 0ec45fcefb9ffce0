"""How commands reach the server of the settings, and the TLS context with which they send it a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from ssl import SSLContext

    from app.settings.server import ServerSettings

EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
"""A server that listens on one of these addresses listens on all addresses of the machine. The values are the
addresses at which the same machine reaches it.
"""


def address(server: ServerSettings) -> str:
    """The address at which this machine reaches the server."""
    host = server.host.strip("[]")
    return EVERYWHERE.get(host, host)


def trusting_its_certificate(certificate: Path) -> SSLContext:
    """A TLS context that trusts only the server's own certificate and ignores its host name, so that the key
    is sent to no other server.

    Raises `OSError`.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context
