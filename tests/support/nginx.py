"""A real nginx with the configuration that the pages recommend."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.certificates import Authority
from tests.support.server import free_port
from tests.support.waiting import wait_until

CONFIGURATION = ROOT / "deploy/nginx/antiphon.conf"
SERVER_LINE = re.compile(r"^    server 10\.0\.0\.1\d:8000 (.*);\n", re.MULTILINE)


class Front:
    """nginx in front of servers of this machine."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            pytest.skip("nginx is not installed: apt-get install nginx-light")
        self._program = program
        self._folder = folder
        self.port = free_port()
        authority = Authority()
        authority.issue(folder / "server.pem", folder / "server.key")
        self.trust = authority.trust
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(authority.pem)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def write(self, ports: Sequence[int]) -> None:
        """The recommended configuration, with servers on these ports of this machine."""
        text = CONFIGURATION.read_text()
        options = SERVER_LINE.findall(text)
        assert len(options) == 2
        servers = "".join(f"    server 127.0.0.1:{port} {options[0]};\n" for port in ports)
        text = SERVER_LINE.sub("", text).replace("    least_conn;\n", f"    least_conn;\n{servers}")
        text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl")
        text = text.replace("/etc/nginx/tls", str(self._folder))
        (self._folder / "antiphon.conf").write_text(text)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"  {kind}_temp_path {self._folder}/{kind};\n" for kind in kinds)
        user = "user root;\n" if os.geteuid() == 0 else ""
        (self._folder / "nginx.conf").write_text(
            f"{user}daemon off;\nworker_processes 1;\npid {self._folder}/pid;\n"
            f"error_log {self._folder}/error.log warn;\nevents {{}}\n"
            f"http {{\n{temporary}  access_log off;\n  include {self._folder}/antiphon.conf;\n}}\n"
        )

    @contextmanager
    def running(self, ports: Sequence[int]) -> Iterator[Front]:
        self.write(ports)
        process = subprocess.Popen(
            [self._program, "-p", str(self._folder), "-c", str(self._folder / "nginx.conf"),
             "-e", str(self._folder / "error.log")],
        )  # fmt: skip
        try:
            wait_until(self._answers, 10, "nginx listens")
            yield self
        finally:
            process.terminate()
            process.wait(10)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
