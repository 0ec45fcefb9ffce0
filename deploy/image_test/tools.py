"""Programs of this machine: which are missing, and how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PACKAGES = {
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "bwrap": "bubblewrap",
    "newuidmap": "uidmap",
}
"""Each program, and the Debian package that brings it."""
BUILD_SECONDS = 1200


class Failed(Exception):
    """A step did not give what it must; the message says what it gave instead."""


def missing() -> str:
    """What this machine lacks for the test, in words; empty if nothing."""
    if os.geteuid() != 0:
        return "The image test needs root: it mounts the image and makes namespaces."
    packages = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if packages:
        command = f"apt-get install --no-install-recommends {' '.join(packages)}"
        return f"Missing here: {', '.join(packages)}. {command}"
    return ""


def call(*command: str | Path, seconds: float = BUILD_SECONDS, env: dict[str, str] | None = None) -> str:
    """The standard output of a command. Raises `Failed` with the end of what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env=env,
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-3000:]
        raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")
    return done.stdout


def show(command: Sequence[str | Path], *, seconds: float = BUILD_SECONDS) -> None:
    """Runs a command whose output is shown as it comes. Raises `Failed`."""
    sys.stdout.flush()
    code = subprocess.run([str(word) for word in command], timeout=seconds, check=False).returncode
    if code:
        raise Failed(f"{' '.join(map(str, command))} ended with {code}")


def demand(condition: object, sentence: str) -> None:
    """Raises `Failed` with the sentence if the condition does not hold."""
    if not condition:
        raise Failed(sentence)
