"""`antiphon models pull` against the real registries."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from app.models.catalog import catalog
from app.models.weights import STAGING, file_state
from tests.support.server import ANTIPHON, environment, run_cli
from tests.support.waiting import wait_until


def largest(folder: Path) -> int:
    """Bytes of the largest file; files come and go meanwhile."""
    sizes = [0]
    for path in folder.rglob("*"):
        with suppress(OSError):
            sizes.append(path.stat().st_size if path.is_file() else 0)
    return max(sizes)


@pytest.mark.real
def test_a_killed_pull_run_again_ends_right(storage: Path, tmp_path: Path) -> None:
    """The real starter weights, by the real command, killed at a time of its own choosing."""
    # The hub of this test does not exist, so the registry's packages are what is interrupted.
    settings = {"WEIGHTS_HUB": "http://127.0.0.1:9"}
    folder = tmp_path / "data"
    command = [ANTIPHON, "models", "pull", "whisper-base"]
    for _ in range(2):
        process = subprocess.Popen(
            command, env=environment(folder, **settings), stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_until(lambda: largest(folder) > 1 << 20, seconds=60, what="a file of a megabyte")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = run_cli(folder, "models", "pull", "whisper-base", settings=settings)
    assert done.returncode == 0, done.stderr
    verified = run_cli(folder, "models", "verify", "whisper-base")
    assert verified.returncode == 0
    entry = catalog()["whisper-base"]
    assert all(file_state(folder / "weights/whisper-base" / f.name, f) == "ok" for f in entry.files)
    assert not (folder / "weights/whisper-base" / STAGING).exists()
