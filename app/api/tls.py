"""TLS for a server without a proxy in front: its certificate and key, read again when the files change.

Law: no connection is known here. New connections get the certificate that was read last; a pair that does not
fit, or that is only half replaced, is not taken.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from app.settings.load import SettingsError
from app.settings.server import ServerSettings

log = logging.getLogger(__name__)
PEM_BEGIN = "-----BEGIN CERTIFICATE-----"
PEM_END = "-----END CERTIFICATE-----"
LONGEST_PEM = 1 << 20
UTC_TIME, GENERALIZED_TIME, VERSION_FIELD = 0x17, 0x18, 0xA0
"""Tags of DER (X.690) and, last, the optional first field of a certificate (RFC 5280)."""


class CertificateUnusable(SettingsError):
    """The certificate or its key cannot be used; the message says why and names the setting."""


class Certificate:
    """The server's certificate and key."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """`key`: None if it is in the same file. Raises `CertificateUnusable`."""
        self._files = (certificate, key or certificate)
        self._read = _state_of(self._files)
        self._told = ""
        self.context = _context(*self._files)
        self.expires = _expiry(certificate)
        """When the certificate expires, in seconds since 1970."""

    def refresh(self) -> bool:
        """Reads the files again if they have changed. Returns whether a new certificate is in use.

        What cannot be used is logged once, and the certificate before it stays in use.
        """
        state = _state_of(self._files)
        if state == self._read:
            return False
        try:
            _context(*self._files)  # tried apart from the context in use, which a wrong key would spoil
            expires = _expiry(self._files[0])
            self.context.load_cert_chain(*self._files, password=_no_password)
        except (CertificateUnusable, OSError) as wrong:
            self._tell(str(wrong))
            return False
        self._read, self._told, self.expires = state, "", expires
        log.info("the certificate was read again; it is valid until %s", _day(expires))
        return True

    def _tell(self, reason: str) -> None:
        if reason != self._told:
            self._told = reason
            log.warning("the previous certificate stays in use: %s", reason)


def certificate_of(server: ServerSettings) -> Certificate | None:
    """The certificate of the settings; None for plain HTTP. Raises `CertificateUnusable`."""
    if server.certificate is None:
        if server.key is not None:
            raise CertificateUnusable("`server.key` is set without `server.certificate`.")
        return None
    return Certificate(server.certificate, server.key)


def _state_of(files: tuple[Path, ...]) -> list[tuple[int, int, int] | None]:
    """A value that changes whenever one of the files is replaced, in place or behind a symbolic link."""
    return [_stat(path) for path in files]


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns, told.st_size


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The TLS settings of the server, with its certificate and key. Raises `CertificateUnusable`."""
    if PEM_BEGIN not in _text(certificate, "certificate"):
        raise CertificateUnusable(
            f"`server.certificate`: {_shown(certificate)} holds no certificate in PEM format."
        )
    if "PRIVATE KEY-----" not in _text(key, "key"):
        raise CertificateUnusable(f"`server.key`: {_shown(key)} holds no private key in PEM format.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as wrong:
        raise CertificateUnusable(_sentence(wrong, certificate, key)) from None
    return context


def _text(path: Path, setting: str) -> str:
    if str(path).startswith("-----BEGIN"):
        raise CertificateUnusable(
            f"`server.{setting}` must be the path of a PEM file; its value is the content of one."
        )
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(LONGEST_PEM)
    except OSError as wrong:
        raise CertificateUnusable(
            f"`server.{setting}`: {_shown(path)} cannot be read: {wrong.strerror}."
        ) from None


def _no_password() -> str:
    raise CertificateUnusable(
        "`server.key` is encrypted; store it without a password, readable to the server."
    )


def _sentence(wrong: ssl.SSLError, certificate: Path, key: Path) -> str:
    if wrong.reason == "KEY_VALUES_MISMATCH":
        return (
            f"`server.key`: {_shown(key)} is not the key of the first certificate in {_shown(certificate)}."
        )
    return f"`server.certificate` and `server.key` cannot be used: {wrong.reason or 'not valid PEM'}."


def _shown(path: Path) -> str:
    return str(path)[:200]


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _expiry(path: Path) -> float:
    """When the first certificate of a PEM file expires, in seconds since 1970. Raises `CertificateUnusable`.

    Python has no public function for it without a connection, so the few fields before are skipped here:
    Certificate -> tbsCertificate -> version, serial number, signature, issuer, validity (RFC 5280, 4.1).
    """
    text = _text(path, "certificate")
    start = text.index(PEM_BEGIN)
    try:
        der = ssl.PEM_cert_to_DER_cert(text[start : text.index(PEM_END, start) + len(PEM_END)])
        _, whole = next(_fields(der))
        _, body = next(_fields(whole))
        fields = [value for tag, value in _fields(body) if tag != VERSION_FIELD]
        (_, _), (tag, end) = _fields(fields[3])
        form = {UTC_TIME: "%y%m%d%H%M%SZ", GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}[tag]
        return datetime.strptime(end.decode("ascii"), form).replace(tzinfo=UTC).timestamp()
    except (ValueError, IndexError, KeyError, StopIteration):
        raise CertificateUnusable(
            f"`server.certificate`: the first certificate in {_shown(path)} cannot be read."
        ) from None


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each element of DER. Raises `IndexError` or `ValueError` if the bytes are not DER."""
    at = 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size > 0x7F:
            count = size & 0x7F
            size, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + size > len(data):
            raise ValueError("an element ends behind its end")
        yield tag, data[at : at + size]
        at += size
