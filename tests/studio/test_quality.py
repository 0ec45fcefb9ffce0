"""Types, lint and format of the page's own JavaScript and CSS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.node import BIN, node_environment, studio_tools

STATIC = ROOT / "app/studio/static"
pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def tools() -> Path:
    """The folder with TypeScript and Biome."""
    return studio_tools()


def run(command: Sequence[Path | str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, cwd=folder, env=node_environment(), capture_output=True, text=True, timeout=300
    )


def test_types(tools: Path, tmp_path: Path) -> None:
    # The check sees our modules beside the declarations of the libraries, instead of their minified code.
    shutil.copytree(STATIC / "js", tmp_path / "js")
    shutil.copytree(ROOT / "tests/studio/types/vendor", tmp_path / "vendor")
    shutil.copyfile(tools / "tsconfig.json", tmp_path / "tsconfig.json")
    done = run([BIN / "node", tools / "node_modules/typescript/bin/tsc", "-p", str(tmp_path)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["app/studio/static/js", "app/studio/static/css", "tests/studio/unit"])
def test_lint_and_format(tools: Path, folder: str) -> None:
    biome = tools / "node_modules/@biomejs/biome/bin/biome"
    config = f"--config-path={tools}"
    command: list[Path | str] = [
        BIN / "node",
        biome,
        "check",
        config,
        "--error-on-warnings",
        str(ROOT / folder),
    ]
    done = run(command, tools)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No files were processed" not in done.stdout + done.stderr
