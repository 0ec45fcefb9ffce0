"""The server's certificate: a clear error for one that cannot be used, and new files are loaded when they fit
together.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from app.api.tls import Certificate, CertificateUnusable, certificate_of
from app.cli.doctor_tls import certificate_verdict
from app.settings import Settings
from app.settings.server import ServerSettings
from tests.support.certificates import Authority

AUTHORITY = Authority()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    AUTHORITY.issue(certificate, key)
    return certificate, key


def test_plain_http_needs_none() -> None:
    assert certificate_of(ServerSettings()) is None


@pytest.mark.parametrize("rsa", [False, True])
def test_the_end_of_a_certificate_is_read(files: tuple[Path, Path], rsa: bool) -> None:
    AUTHORITY.issue(*files, rsa=rsa)
    meant = x509.load_pem_x509_certificate(files[0].read_bytes()).not_valid_after_utc.timestamp()
    assert Certificate(*files).expires == meant


def test_the_end_may_be_after_2050(files: tuple[Path, Path]) -> None:
    """From 2050 on, the end of a certificate is written in another form (GeneralizedTime)."""
    AUTHORITY.issue(*files, days=365 * 60)
    meant = x509.load_pem_x509_certificate(files[0].read_bytes()).not_valid_after_utc.timestamp()
    assert Certificate(*files).expires == meant


def test_key_and_certificate_may_be_one_file(files: tuple[Path, Path]) -> None:
    certificate, key = files
    certificate.write_bytes(key.read_bytes() + certificate.read_bytes())
    assert Certificate(certificate, None).expires > time.time()


def test_what_cannot_be_used_is_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = files
    other, text, encrypted = tmp_path / "other.key", tmp_path / "text", tmp_path / "encrypted.key"
    AUTHORITY.issue(tmp_path / "other.pem", other)
    text.write_text("hello")
    secret = serialization.load_pem_private_key(key.read_bytes(), None)
    encrypted.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    broken = tmp_path / "broken.pem"
    broken.write_text(certificate.read_text().replace("MII", "MIJ"))
    cases = [
        (tmp_path / "absent.pem", key, r"`server.certificate`: .*absent.pem cannot be read: No such file"),
        (certificate, tmp_path / "absent.key", r"`server.key`: .*absent.key cannot be read: No such file"),
        (text, key, r"text holds no certificate in PEM format"),
        (certificate, text, r"text holds no private key in PEM format"),
        (certificate, other, r"other.key is not the key of the first certificate in .*server.pem"),
        (certificate, encrypted, r"`server.key` is encrypted"),
        (certificate, None, r"server.pem holds no private key"),
        (broken, key, r"cannot be (used|read)"),
        (Path("-----BEGIN CERTIFICATE-----\nMII"), key, r"must be the path of a PEM file; its value"),
    ]
    for cert, secret_key, told in cases:
        with pytest.raises(CertificateUnusable, match=told):
            Certificate(cert, secret_key)


def test_a_key_alone_is_refused(files: tuple[Path, Path]) -> None:
    with pytest.raises(CertificateUnusable, match=r"`server.key` is set without `server.certificate`"):
        certificate_of(ServerSettings(key=files[1]))


def test_new_files_are_taken_once_both_are_there(
    files: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    used = Certificate(*files)
    before = used.expires
    assert not used.refresh()
    new = tmp_path / "new.pem", tmp_path / "new.key"
    AUTHORITY.issue(*new, days=60)
    new[0].replace(files[0])
    for _ in range(3):
        assert not used.refresh()
    assert used.expires == before
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "is not the key of the first certificate" in caplog.text
    new[1].replace(files[1])
    with caplog.at_level(logging.INFO):
        assert used.refresh()
    assert used.expires > before
    assert not used.refresh()


def test_files_that_are_gone_leave_the_certificate_in_use(
    files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    used = Certificate(*files)
    files[0].unlink()
    assert not used.refresh()
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("days", "verdict", "told"),
    [
        (90.2, "ok", "valid for 90 days"),
        (7.2, "note", "expires in 7 days"),
        (-3.8, "wrong", "expired 4 days"),
    ],
)
def test_doctor_tells_how_long_it_is_valid(
    files: tuple[Path, Path], days: float, verdict: str, told: str
) -> None:
    AUTHORITY.issue(*files, days=days)
    settings = Settings(server=ServerSettings(certificate=files[0], key=files[1]))
    found = certificate_verdict(settings)
    assert found[0] == verdict
    assert told in found[1]


def test_doctor_tells_what_is_wrong(tmp_path: Path) -> None:
    settings = Settings(server=ServerSettings(certificate=tmp_path / "absent"))
    assert certificate_verdict(settings)[0] == "wrong"
    assert certificate_verdict(Settings()) == ("ok", "none is set; the server speaks plain HTTP")
