"""`docs/engines.md`, followed as it stands: two files, one installation, and the new engine speaks."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.decoded import decode

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs/engines.md"


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, kind
    return found[1]


def environment(folder: Path) -> dict[str, str]:
    """A virtual environment on top of ours, so that the test leaves nothing behind in it."""
    venv.create(folder / ".venv", with_pip=False)
    python = folder / ".venv/bin/python"
    ours = sysconfig.get_paths()["purelib"]
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / ".venv")}))
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    script = folder / ".venv/bin/antiphon"
    script.write_text(f"#!{python}\nfrom app.cli import main\nmain()\n")
    script.chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ANTIPHON_")}
    return clean | {
        "PYTHONPATH": str(ROOT),
        "ANTIPHON_STORAGE_FOLDER": str(folder / "data"),
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this as "no isolation": the build backend is there already
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
    }


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    example = block("python")
    assert len([line for line in example.splitlines() if line.strip()]) <= 30
    (tmp_path / "hum").mkdir()
    (tmp_path / "hum/hum.py").write_text(example)
    (tmp_path / "hum/pyproject.toml").write_text(block("toml"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block("sh")],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 0.5 < decode((tmp_path / "hum.wav").read_bytes(), "wav").seconds < 2.5
