"""Certificates from a certificate authority that exists only for the tests."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


class Authority:
    """Issues certificates for this machine, and makes clients trust them."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.trust = ssl.create_default_context()
        self._authority.configure_trust(self.trust)

    @property
    def pem(self) -> bytes:
        """The authority's own certificate in PEM."""
        return self._authority.cert_pem.bytes()

    def issue(self, certificate: Path, key: Path, *, days: float = 30.5, rsa: bool = False) -> None:
        """Writes a certificate that is valid for `days` days, and its key. `certificate` is written
        before `key`, so a test can see the moment in which they do not fit.
        """
        kind = trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA
        end = datetime.now(UTC) + timedelta(days=days)
        begin = min(datetime.now(UTC), end) - timedelta(days=1)
        names = ("speech.example.org", "127.0.0.1")
        made = self._authority.issue_cert(*names, not_before=begin, not_after=end, key_type=kind)
        certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(key)
