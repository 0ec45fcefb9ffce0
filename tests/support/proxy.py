"""The base class of the proxies in the tests: a process with a certificate, in front of servers on this
machine.

Law: has no code for a particular proxy; `nginx.py` and `caddy.py` write the configurations.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.support.certificates import Authority
from tests.support.server import free_port
from tests.support.waiting import wait_until

LONGEST_SECONDS = 30
"""Seconds until the proxy listens, and until it has ended."""


class Proxy(ABC):
    """A proxy that listens for TLS on a free port."""

    def __init__(self, folder: Path, name: str, places: Sequence[str | Path | None], missing: str) -> None:
        """`name`: of the program. `places`: the search paths in which it is looked for; None stands for PATH.
        `missing`: the reason for skipping the test if the program is not found.
        """
        found = (shutil.which(name, path=None if place is None else str(place)) for place in places)
        self._program = next(filter(None, found), "")
        if not self._program:
            pytest.skip(missing)
        self._name = name
        self._folder = folder
        self.port = free_port()
        authority = Authority()
        authority.issue(folder / "server.pem", folder / "server.key")
        self.trust = authority.trust
        self.authority = folder / "authority.pem"
        self.authority.write_bytes(authority.pem)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def _environment(self) -> Mapping[str, str]:
        return os.environ

    @abstractmethod
    def write(self, ports: Sequence[int]) -> None:
        """Writes the recommended configuration, with servers on these ports of this machine."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The command line of the proxy in the foreground."""

    @contextmanager
    def running(self, ports: Sequence[int]) -> Iterator[Self]:
        """The proxy in front of servers on these ports; its output is in the file `log` of its folder."""
        self.write(ports)
        with (self._folder / "log").open("wb") as output:
            self._process = subprocess.Popen(
                self._command(), stdout=output, stderr=output, env=self._environment
            )
            try:
                wait_until(self._answers, LONGEST_SECONDS, f"{self._name} listens")
                yield self
            finally:
                self._process.terminate()
                self._process.wait(LONGEST_SECONDS)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
