"""Two real servers with one PostgreSQL behind nginx and Caddy, as docs/scale.md recommends them.

The engines are fakes, so that each answer is known and quick; everything else is the real thing.
"""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from websockets.sync.client import connect

from app.settings import Settings
from app.store import migrations
from app.store.database import prepared
from app.store.tables import HEAD
from tests.conftest import ROOT
from tests.support.caddy import CONFIGURATION as CADDYFILE
from tests.support.caddy import CaddyFront
from tests.support.fake_server import serving
from tests.support.nginx import CONFIGURATION, Front
from tests.support.postgres import emptied, running_postgres
from tests.support.server import Server, run_cli
from tests.support.sound import tone, wav
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
REQUESTS = 200
CLIENTS = 4
Proxy = Front | CaddyFront


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with running_postgres() as url:
        yield url
        emptied(url)


class Cluster:
    """Servers with one database, and a key that one of them has made."""

    def __init__(self, folder: Path, database: str, stack: ExitStack) -> None:
        self.folder, self._database, self._stack = folder, database, stack
        self.started = 0
        self.logs: dict[int, Path] = {}
        self.key = ""

    def start(self, *, seconds: float = 0.05, head: str = "", **settings: str) -> Server:
        """A server; on a port that is free, unless the settings have one."""
        self.started += 1
        folder = self.folder / f"server{self.started}"
        given = {"AUTH_KEYS": "", "STORAGE_DATABASE_URL": self._database} | settings
        server = self._stack.enter_context(serving(folder, seconds=seconds, head=head, **given))
        self.logs[port_of(server)] = folder / "log"
        if not self.key:
            made = run_cli(
                folder, "keys", "create", "front", settings={"STORAGE_DATABASE_URL": self._database}
            )
            self.key = next(word for word in made.stdout.split() if word.startswith("sk-"))
        return server

    def worked(self, server: Server) -> int:
        """Requests that this server has answered with 200."""
        log = self.logs[port_of(server)].read_text()
        return sum("status=200 outcome=done" in line for line in log.splitlines())


def port_of(server: Server) -> int:
    return int(server.root.rpartition(":")[2])


@pytest.fixture
def cluster(tmp_path: Path, database: str) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path, database, stack)


@pytest.fixture(params=[Front, CaddyFront], ids=["nginx", "caddy"])
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Proxy:
    folder = tmp_path / "front"
    folder.mkdir()
    made: Proxy = request.param(folder)
    return made


def client_of(front: Proxy, cluster: Cluster) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {cluster.key}"}
    return httpx2.Client(base_url=f"{front.url}/v1", headers=headers, verify=front.trust, timeout=60)


def transcribe(client: httpx2.Client, sound: bytes, **fields: str) -> httpx2.Response:
    files = {"file": ("tone.wav", io.BytesIO(sound))}
    return client.post("/audio/transcriptions", data={"model": "whisper-1"} | fields, files=files)


def test_the_configuration_keeps_the_servers_limits() -> None:
    text = CONFIGURATION.read_text()
    limits = Settings().limits
    assert f"client_max_body_size {limits.upload_bytes // 2**30}g;" in text
    assert f"proxy_read_timeout {limits.request_seconds}s;" in text
    assert text.strip() in (ROOT / "docs/scale.md").read_text()
    text = CADDYFILE.read_text()
    assert f"max_size {limits.upload_bytes // 2**30}GiB" in text
    assert text.strip() in (ROOT / "docs/scale.md").read_text()


def test_both_servers_answer_with_one_key(cluster: Cluster, front: Proxy) -> None:
    servers = [cluster.start(REALTIME_ENABLED="true"), cluster.start(REALTIME_ENABLED="true")]
    ports = [port_of(server) for server in servers]
    sound = wav(tone(3))
    with front.running(ports), client_of(front, cluster) as client:
        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(lambda _: transcribe(client, sound), range(20)))
        assert [answer.status_code for answer in answers] == [200] * 20
        assert {answer.json()["text"] for answer in answers} == {"word0 word1 word2"}
        assert all(cluster.worked(server) for server in servers)
        assert client.get("/models", headers={"Authorization": "Bearer sk-other"}).status_code == 401
        for path in ("/metrics", "/metrics/"):
            assert httpx2.get(f"{front.url}{path}", verify=front.trust).status_code == 404
        # A body that is larger than nginx's own limit of 1 MB.
        assert transcribe(client, wav(tone(60))).status_code == 200
        _speech_arrives(client)
        _a_live_session_is_opened(front, cluster)
        # One server dies: the other one takes its requests.
        servers[0].process.kill()
        servers[0].process.wait(10)
        assert [transcribe(client, sound).status_code for _ in range(10)] == [200] * 10


def _speech_arrives(client: httpx2.Client) -> None:
    asked = {"model": "tts-1", "voice": "alloy", "input": "One. Two.", "response_format": "wav"}
    assert client.post("/audio/speech", json=asked).content[:4] == b"RIFF"


def _a_live_session_is_opened(front: Proxy, cluster: Cluster) -> None:
    url = front.url.replace("https", "wss") + "/v1/realtime?intent=transcription"
    headers = {"Authorization": f"Bearer {cluster.key}"}
    with connect(url, additional_headers=headers, ssl=front.trust, proxy=None) as socket:
        assert json.loads(socket.recv(timeout=10))["type"].endswith("created")


def test_events_are_not_held_back(cluster: Cluster, front: Proxy) -> None:
    """The first event is here while the server still works on the rest."""
    server = cluster.start(RUNTIME_WINDOWS_AHEAD="1", RUNTIME_BATCH_ROWS="1")
    fields = {"model": "whisper-1", "stream": "true"}
    files = {"file": ("tone.wav", io.BytesIO(wav(tone(600))))}
    with (
        front.running([port_of(server)]),
        client_of(front, cluster) as client,
        client.stream("POST", "/audio/transcriptions", data=fields, files=files) as answer,
    ):
        lines = answer.iter_lines()
        first = next(line for line in lines if line.startswith("data:"))
        assert cluster.worked(server) == 0
        rest = [line for line in lines if line.startswith("data:")]
    assert "transcript.text.delta" in first
    assert any("transcript.text.done" in line for line in rest)


def test_a_client_that_leaves_is_noticed(cluster: Cluster, front: Proxy) -> None:
    """The proxy passes on that the client has left, so the rest is not worked on."""
    server = cluster.start(seconds=0.5, RUNTIME_WINDOWS_AHEAD="1", RUNTIME_BATCH_ROWS="1")
    fields = {"model": "whisper-1", "stream": "true"}
    files = {"file": ("tone.wav", io.BytesIO(wav(tone(600))))}
    with front.running([port_of(server)]), client_of(front, cluster) as client:
        with client.stream("POST", "/audio/transcriptions", data=fields, files=files) as answer:
            assert next(answer.iter_bytes())
        log = cluster.logs[port_of(server)]
        wait_until(lambda: "outcome=left" in log.read_text(), 60, "the server notices")


def previous_revision() -> str:
    """The revision before the newest one."""
    newest = ScriptDirectory(str(migrations.MIGRATIONS)).get_revision(HEAD)
    assert isinstance(newest.down_revision, str)
    return newest.down_revision


def revision(database: str) -> str | None:
    return asyncio.run(migrations._revision(database))


def test_a_rolling_upgrade_under_load_fails_no_request(cluster: Cluster, front: Proxy, database: str) -> None:
    """Two servers that know the schema before; the database is migrated under them, one restarts as it is,
    then each is stopped and replaced, while clients go on asking. The proxy is told nothing.
    """
    old = previous_revision()
    stopped(cluster.start())  # the first start makes the key
    migrations.downgrade(database, old)
    servers = [cluster.start(head=old), cluster.start(head=old)]
    ports = [port_of(server) for server in servers]
    sound = wav(tone(2))
    statuses: list[int] = []
    upgraded = threading.Event()

    def ask() -> None:
        while not upgraded.is_set():
            with client_of(front, cluster) as client:  # a connection of its own, as from many clients
                statuses.append(transcribe(client, sound).status_code)

    def more() -> None:
        wanted = len(statuses) + REQUESTS // 4
        wait_until(lambda: len(statuses) >= wanted, 60, "a quarter of the requests")

    def replaced(server: Server, head: str = "") -> None:
        """By one at the same address; the next step begins when the proxy uses that."""
        stopped(server)
        servers[servers.index(server)] = new = cluster.start(head=head, SERVER_PORT=str(port_of(server)))
        wait_until(lambda: cluster.worked(new) > 0, 60, "the proxy uses the new server")

    with front.running(ports), ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(ask) for _ in range(CLIENTS)]
        try:
            more()
            assert revision(database) == old
            migrated = run_cli(cluster.folder, "db", "upgrade", settings={"STORAGE_DATABASE_URL": database})
            assert migrated.returncode == 0
            assert revision(database) == HEAD
            more()
            replaced(servers[0], head=old)  # an old server that restarts after the migration
            for server in servers:
                replaced(server)
            more()
        finally:
            upgraded.set()
        for client in asking:
            client.result(timeout=60)
    assert set(statuses) == {200}
    assert len(statuses) >= REQUESTS // 4 * 3


def stopped(server: Server) -> None:
    server.process.terminate()
    server.process.wait(60)


def test_a_server_that_cannot_read_the_new_schema_does_not_start(cluster: Cluster, database: str) -> None:
    """After a migration that took something away, a restart of an old server fails, and says why."""
    stopped(cluster.start())
    engine = create_engine(prepared(database))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM schema_readers WHERE revision <> :head"), {"head": HEAD})
    engine.dispose()
    with pytest.raises(
        AssertionError, match=f"has revision {HEAD}, this version needs {previous_revision()}"
    ):
        cluster.start(head=previous_revision())
    emptied(database)
