"""Starts nodes of a Ray cluster on this machine, for trying it out and for tests.

Law: starts `ray start` as a program and ends it; imports no Ray. Its processes talk over a loopback address,
but Ray listens on all addresses of the machine unless its own is exactly 127.0.0.1: the token alone guards
its ports.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from engines.errors import EngineError

LOOPBACK = ("127.0.0.2", "127.0.0.3")
"""Addresses of the first and the second node. Ray replaces 127.0.0.1 by one that other machines reach."""
OBJECT_STORE_BYTES = 100 << 20
"""Shared memory for the sound of running calls: 50 windows."""
START_SECONDS = 120.0
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_worker_niceness": "0",
    "RAY_prestart_worker_first_driver": "0",
}
"""Environment of every process that talks to Ray: it needs a token, and sends no usage reports to Ray's
makers; replicas have the priority of any program (Ray's default is a niceness of 15), and no processes are
started for tasks that nobody will send.
"""


def token_file(folder: Path) -> Path:
    """The file in the storage folder in which `antiphon ray up` keeps the token."""
    return folder / "ray" / "token"


def found_token(folder: Path) -> str | None:
    """The cluster's token, from Ray's own variables, the storage folder, or Ray's own file."""
    if told := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return told
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    files = [Path(named)] if named else [token_file(folder), Path.home() / ".ray" / "auth_token"]
    for file in files:
        with suppress(OSError):
            if text := file.read_text().strip():
                return text
    return None


def unreadable_token() -> str | None:
    """The file that RAY_AUTH_TOKEN_PATH names, if it cannot be read or is empty."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if named and not os.environ.get("RAY_AUTH_TOKEN", "").strip():
        with suppress(OSError):
            return None if Path(named).read_text().strip() else named
        return named
    return None


def kept_token(file: Path) -> str:
    """The token in `file`. If there is no such file, it is written with a new token."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w") as made:
            made.write(secrets.token_hex(32))
    return file.read_text().strip()


class RayNode:
    """The processes of one node."""

    def __init__(
        self,
        port: int,
        token: str,
        folder: Path,
        *,
        head: bool = True,
        cpus: float = 2,
        gpus: float = 0,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`port`: of the head node. `folder`: for logs and sockets; its path must be short."""
        ours = {"RAY_AUTH_TOKEN": token, **ENVIRONMENT, **(variables or {})}
        others = {name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")}
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / ("head.log" if head else "node.log")
        resources = ["--num-cpus", f"{cpus:g}", "--num-gpus", f"{gpus:g}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*_start_command(port, folder, head=head), *resources],
                env=others | ours,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_up(self) -> None:
        """Blocks until the node runs. Raises `EngineError` if it does not start."""
        deadline = time.monotonic() + START_SECONDS
        while "Ray runtime started" not in self._log.read_text(errors="replace"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise EngineError(f"Ray could not be started; {self._log} says why.")
            time.sleep(0.1)

    @property
    def ended(self) -> bool:
        """Whether the command that keeps the node has ended."""
        return self._process.poll() is not None

    def wait(self) -> int:
        """Blocks until the node has ended."""
        return self._process.wait()

    def kill(self) -> None:
        """Kills all processes of the node."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _start_command(port: int, folder: Path, *, head: bool) -> list[str]:
    common = ["--block", "--disable-usage-stats", "--include-log-monitor=false"]
    common += ["--object-store-memory", str(OBJECT_STORE_BYTES)]
    first, second = LOOPBACK
    if head:
        where = ["--head", "--port", str(port), "--node-ip-address", first, "--temp-dir", str(folder)]
        where += ["--include-dashboard=false", "--no-monitor"]  # nothing starts further machines
    else:
        where = ["--address", f"{first}:{port}", "--node-ip-address", second]
    return [sys.executable, "-m", "ray.scripts.scripts", "start", *common, *where]
