"""A real nginx proxy with the configuration that the documentation recommends."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import ROOT
from tests.support.proxy import Proxy

CONFIGURATION = ROOT / "deploy/nginx/antiphon.conf"
SERVER_LINE = re.compile(r"^    server 10\.0\.0\.1\d:8000 (.*);\n", re.MULTILINE)


class Front(Proxy):
    """nginx in front of servers on this machine."""

    def __init__(self, folder: Path) -> None:
        missing = "nginx is not installed: apt-get install nginx-light"
        super().__init__(folder, "nginx", [None, "/usr/sbin"], missing)

    def write(self, ports: Sequence[int]) -> None:
        """Writes the recommended configuration, with servers on these ports of this machine."""
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

    def _command(self) -> Sequence[str]:
        own = self._folder
        return [self._program, "-p", f"{own}", "-c", f"{own}/nginx.conf", "-e", f"{own}/error.log"]
