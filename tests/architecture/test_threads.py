"""NumPy has no threads of its own, which would wait for work at full speed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COUNT = "import sys, numpy; from pathlib import Path; print(len(list(Path('/proc/self/task').iterdir())))"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not list threads")
@pytest.mark.parametrize(
    "program",
    [
        "app.main",
        "app.container",
        "app.runtime.child_program",
        "app.runtime.reader_program",
        "engines.catalog",
    ],
)
def test_importing_a_program_starts_no_thread(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {program}; {COUNT}"],
        env={},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split()[-1] == "1"
