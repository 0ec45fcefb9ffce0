"""docs/moving.md, followed from its first command to its last: SQLite, a new SQLite, PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.postgres import emptied
from tests.support.server import ANTIPHON, environment

pytestmark = pytest.mark.slow
ADDRESS = "postgresql://antiphon:secret@db.example.org/antiphon"


def test_the_page_is_followed(tmp_path: Path, postgres: str) -> None:
    page = (ROOT / "docs/moving.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    assert ADDRESS in blocks[-1]
    env = environment(tmp_path / "data")
    env["PATH"] = os.pathsep.join([str(Path(ANTIPHON).parent), env["PATH"]])
    (tmp_path / "data/weights/whisper-base").mkdir(parents=True)

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("antiphon db upgrade; antiphon keys create newsroom --parallel 2 2> /dev/null")
    before = run("antiphon keys list")
    try:
        told = [run(block.replace(ADDRESS, postgres)) for block in blocks]
        assert "before.backup: " in told[0]
        assert told[1].count("this version needs") == 2
        assert told[2].endswith(before)
        assert told[3].endswith(before)
        assert "newsroom" in before
        refused = subprocess.run(
            [ANTIPHON, "restore", "before.backup"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode == 1
        assert "has rows already" in refused.stderr
        (tmp_path / "other").mkdir()
        elsewhere = run(f"ANTIPHON_STORAGE_FOLDER={tmp_path}/other antiphon restore before.backup")
        assert "antiphon models pull whisper-base" in elsewhere
    finally:
        emptied(postgres)
