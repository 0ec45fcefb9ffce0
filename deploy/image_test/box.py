"""Runs an image with bubblewrap: read-only root, the image's user, no capabilities, one volume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.image_test.buildah import Image
from deploy.image_test.tools import Failed
from tests.support import process_tree

HELPERS = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
"""Capabilities that setpriv needs to change the user; it drops them with all others."""
START_SECONDS = 180
STOP_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Box:
    """How an image is run. The network is the machine's own."""

    image: Image
    data: Path
    """The volume."""
    user: str
    settings: dict[str, str] = field(default_factory=dict)
    read_only: dict[str, Path] = field(default_factory=dict)
    """Folders and files of this machine that are seen in `/tmp` under these names."""

    def words(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` in the box."""
        user, _, group = self.user.partition(":")
        env = self.image.env | self.settings
        line = ["bwrap", "--ro-bind", str(self.image.root), "/"]
        line += ["--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - the box's own
        for name, path in self.read_only.items():
            line += ["--ro-bind", str(path), f"/tmp/{name}"]  # noqa: S108 - as above
        line += ["--bind", str(self.data), "/data", "--dev", "/dev", "--proc", "/proc"]
        line += [
            "--unshare-pid",
            "--unshare-ipc",
            "--die-with-parent",
            "--chdir",
            self.image.folder,
            "--clearenv",
        ]
        for name, value in env.items():
            line += ["--setenv", name, value]
        for capability in HELPERS:
            line += ["--cap-add", capability]
        line += ["setpriv", f"--reuid={user}", f"--regid={group or 0}", "--clear-groups", "--no-new-privs"]
        return [*line, "--bounding-set=-all", "--inh-caps=-all", "--", *command]

    def call(self, *command: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            self.words(command), capture_output=True, text=True, timeout=seconds, check=False
        )


class Running:
    """The image's own command, running in a box."""

    def __init__(self, box: Box, log: Path, port: int) -> None:
        self.box, self.log, self.port = box, log, port
        self.began = time.monotonic()
        with log.open("wb") as output:
            self.process = subprocess.Popen(box.words(box.image.command), stdout=output, stderr=output)

    def until_healthy(self) -> float:
        """Waits for the image's own health check and for readiness. Returns seconds since the start."""
        while time.monotonic() - self.began < START_SECONDS:
            if self.process.poll() is not None:
                break
            if self._is_ready() and self.box.call(*self.box.image.health).returncode == 0:
                return time.monotonic() - self.began
            time.sleep(0.2)
        self.process.kill()
        raise Failed(f"The server did not become healthy:\n{self.log.read_text()[-3000:]}")

    def _is_ready(self) -> bool:
        try:
            self.ask("/health/ready")
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> bytes:
        """The answer to a request; `content_type` stands for the header `content-type`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, named)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as answer:
            return bytes(answer.read())

    @property
    def server(self) -> int:
        """The process id of the server, outside of the box: the child of bubblewrap's first process in it."""
        return _only_child(_only_child(self.process.pid))

    @property
    def memory_bytes(self) -> int:
        """Memory of the server and of the processes of its models; what they share counts once."""
        return process_tree.proportional(self.server)

    def stop(self, name: str) -> tuple[int, float]:
        """Sends a signal to the server. Returns the exit status and the seconds until it ended."""
        began = time.monotonic()
        os.kill(self.server, signal.Signals[name])
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed(f"The server did not stop within {STOP_SECONDS} s of {name}.") from None
        return code, time.monotonic() - began


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def first_key(log: Path) -> str:
    """The API key that the first start shows."""
    return next(word for word in log.read_text().split() if word.startswith("sk-"))


def multipart(fields: dict[str, str], file: Path) -> tuple[bytes, str]:
    """A form with one file: its body and its content type."""
    edge = "edge-of-a-form"
    parts = [
        f'--{edge}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{edge}\r\ncontent-disposition: form-data; name="file"; filename="{file.name}"\r\n\r\n'
    body = b"".join([*parts, head.encode(), file.read_bytes(), f"\r\n--{edge}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={edge}"


def as_json(answer: bytes) -> dict[str, object]:
    value = json.loads(answer)
    if not isinstance(value, dict):
        raise Failed(f"The answer is no object: {answer[:200]!r}")
    return value
