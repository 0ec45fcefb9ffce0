"""A real server in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.support import process_tree

ANTIPHON = str(Path(sys.executable).with_name("antiphon"))
KEY = "sk-test"


@dataclass(frozen=True)
class Server:
    """A running server."""

    root: str
    process: subprocess.Popen[bytes]
    settings: dict[str, str] = field(default_factory=dict)
    """Settings that this server got in addition, for commands that must run with the same ones."""

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    @property
    def peak(self) -> int:
        """The sum of the peak resident memory of the server and of each child process, in bytes."""
        return process_tree.peak(self.process.pid)

    @property
    def threads(self) -> int:
        return process_tree.threads(self.process.pid)

    def client(self, key: str | None = KEY) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=300)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(storage: Path, **settings: str) -> dict[str, str]:
    """The environment without Antiphon's variables but those of `settings`, which are written like
    `LIMITS_REQUESTS="1"`.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ANTIPHON_")}
    given = {f"ANTIPHON_{key}": value for key, value in settings.items()}
    return clean | {"ANTIPHON_STORAGE_FOLDER": str(storage), "NO_COLOR": "1", "COLUMNS": "200"} | given


@contextmanager
def running(storage: Path, log: Path, *, ready: bool = True, **settings: str) -> Iterator[Server]:
    """Runs a server on a free port. Its output is in the file `log`."""
    port = free_port()
    env = environment(storage, **({"AUTH_KEYS": KEY, "SERVER_PORT": str(port)} | settings))
    with log.open("wb") as output:
        process = subprocess.Popen([ANTIPHON, "serve", "--prepare"], env=env, stdout=output, stderr=output)
        server = Server(f"http://127.0.0.1:{port}", process)
        try:
            wait_for(server, "/health/ready" if ready else "/health/live", log)
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(server: Server, path: str, log: Path, trust: ssl.SSLContext | None = None) -> None:
    with httpx2.Client(timeout=5, verify=trust or True) as client:  # to make one takes 25 ms of CPU time
        for _ in range(1200):
            try:
                if client.get(server.root + path).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            if server.process.poll() is not None:
                break
            time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-3000:]}")


def run_cli(
    storage: Path, *arguments: str, stdin: bytes = b"", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `antiphon` with these arguments until it ends."""
    done = subprocess.run(
        [ANTIPHON, *arguments],
        env=environment(storage, **(settings or {})),
        input=stdin,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def waiting_jobs(server: Server) -> float:
    """Number of waiting windows and utterances, from the server's metrics."""
    return _measured(server, "antiphon_queue_jobs", "gauge")


def worked_seconds(server: Server) -> float:
    """Seconds of sound that models have worked on, from the server's metrics."""
    return _measured(server, "antiphon_sound_seconds_total", "counter")


def _measured(server: Server, name: str, kind: str) -> float:
    """The sum of a metric over its labels."""
    told = httpx2.get(f"{server.root}/metrics", headers={"Authorization": f"Bearer {KEY}"}, timeout=60).text
    assert f"# TYPE {name} {kind}" in told
    counts = [line.split()[-1] for line in told.splitlines() if line.startswith(name)]
    return sum(map(float, counts))
