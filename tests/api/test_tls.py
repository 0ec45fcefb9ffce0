"""HTTPS on a real server: requests, streams, WebSockets, commands on the same machine, and a renewed
certificate.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect

from tests.support.certificates import Authority
from tests.support.fake_server import serving
from tests.support.server import KEY, Server, free_port, run_cli
from tests.support.sound import tone, wav
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
AUTHORITY = Authority()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    AUTHORITY.issue(folder / "server.pem", folder / "server.key")
    return folder / "server.pem", folder / "server.key"


@pytest.fixture(scope="module")
def server(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    certificate, key = (str(path) for path in files)
    with serving(
        folder,
        AUTHORITY.trust,
        SERVER_CERTIFICATE=certificate,
        SERVER_KEY=key,
        REALTIME_ENABLED="true",
    ) as made:
        yield made


def client_of(server: Server) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx2.Client(base_url=server.url, headers=headers, verify=AUTHORITY.trust, timeout=30)


def test_a_handshake_that_stops_is_ended(files: tuple[Path, Path], tmp_path: Path) -> None:
    certificate, key = (str(path) for path in files)
    with serving(
        tmp_path, AUTHORITY.trust, SERVER_CERTIFICATE=certificate, SERVER_KEY=key, SERVER_HEADER_SECONDS="1"
    ) as server:
        address = ("127.0.0.1", int(server.root.rpartition(":")[2]))
        for beginning in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
            with socket.create_connection(address, timeout=40) as silent:
                silent.sendall(beginning)
                assert silent.recv(1) == b"", "asyncio's own bound is a minute"
        with client_of(server) as client:
            assert client.get("/models").status_code == 200


def certificate(server: Server) -> bytes:
    """The certificate that the server shows to a new connection."""
    port = int(server.root.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        AUTHORITY.trust.wrap_socket(plain, server_hostname="speech.example.org") as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
        assert shown
        return shown


def test_requests_and_streams(server: Server) -> None:
    assert server.root.startswith("https://")
    with client_of(server) as client:
        sound = {"file": ("tone.wav", wav(tone(40)))}
        answer = client.post("/audio/transcriptions", data={"model": "whisper-1"}, files=sound)
        assert answer.json()["text"].startswith("word0 word1")
        fields = {"model": "whisper-1", "stream": "true"}
        assert "[DONE]" in client.post("/audio/transcriptions", data=fields, files=sound).text
        asked = {"model": "tts-1", "voice": "alloy", "input": "One. Two.", "response_format": "wav"}
        assert client.post("/audio/speech", json=asked).content[:4] == b"RIFF"


def test_a_live_session(server: Server) -> None:
    url = server.url.replace("https", "wss") + "/realtime?intent=transcription"
    headers = {"Authorization": f"Bearer {KEY}"}
    with connect(url, additional_headers=headers, ssl=AUTHORITY.trust, proxy=None) as live:
        assert "created" in str(live.recv(timeout=10))


def test_plain_http_and_old_tls_get_no_answer(server: Server) -> None:
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(server.root.replace("https", "http") + "/health/live", timeout=10)
    old = ssl.create_default_context()
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    port = int(server.root.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, pytest.raises(OSError):  # noqa: PT011
        old.wrap_socket(plain)
    with client_of(server) as client:
        assert client.get("/models").status_code == 200


def test_commands_of_this_machine_reach_it(server: Server, files: tuple[Path, Path], tmp_path: Path) -> None:
    settings = {
        "SERVER_PORT": server.root.rpartition(":")[2],
        "SERVER_CERTIFICATE": str(files[0]),
        "SERVER_KEY": str(files[1]),
        "AUTH_KEYS": KEY,
    }
    health = run_cli(tmp_path, "health", "--live", settings=settings)
    assert health.returncode == 0, health.stderr
    listed = run_cli(tmp_path, "models", "list", settings=settings)
    assert "No server answers" not in listed.stderr
    AUTHORITY.issue(tmp_path / "other.pem", tmp_path / "other.key")
    other = settings | {"SERVER_CERTIFICATE": str(tmp_path / "other.pem")}
    refused = run_cli(tmp_path, "models", "list", settings=other)
    assert "No server answers" in refused.stderr, "a key goes to the server of this certificate alone"


def test_a_renewed_certificate_is_used_for_new_connections(
    server: Server, files: tuple[Path, Path], tmp_path: Path
) -> None:
    before = certificate(server)
    with client_of(server) as client:
        assert client.get("/models").status_code == 200
        AUTHORITY.issue(tmp_path / "new.pem", tmp_path / "new.key", days=90)
        (tmp_path / "new.pem").replace(files[0])
        (tmp_path / "new.key").replace(files[1])
        wait_until(lambda: certificate(server) != before, 20, "the new certificate is shown")
        assert client.get("/models").status_code == 200
        metrics = client.get(f"{server.root}/metrics").text
    line = next(line for line in metrics.splitlines() if line.startswith("antiphon_certificate_expires"))
    assert float(line.split()[1]) > 0


def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    settings = {"SERVER_CERTIFICATE": str(tmp_path / "absent.pem"), "SERVER_PORT": str(free_port())}
    done = run_cli(tmp_path, "serve", settings=settings)
    assert done.returncode == 1
    assert done.stderr.startswith("antiphon: `server.certificate`: ")
    assert "Traceback" not in done.stderr
