"""The memory of a server with Whisper, Piper and Kokoro: idle, the most during a program, and a minute after.

    .venv/bin/python -m bench.suite_memory pytest SUITE --base-url URL --api-key KEY

Runs the program with `URL` and `KEY` replaced by those of the server. Any program that uses the API will do.
Shared pages are counted once.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.bench_stt import commit
from bench.stt_load import IDLE, REST, VOICES, sampled
from bench.stt_pairs import Goal
from tests.conftest import ROOT
from tests.support import process_tree
from tests.support.server import KEY, running


def main() -> None:
    print(f"commit {commit()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        given = {"STORAGE_DATABASE_URL": f"sqlite:///{folder}/antiphon.db", "MODELS_PRELOAD": VOICES}
        with running(ROOT / "data", Path(folder) / "log", ready=True, **given) as server:
            pid = server.process.pid
            time.sleep(IDLE)
            idle = process_tree.proportional(pid)
            names = {"URL": server.url, "KEY": KEY}
            command = [names.get(part, part) for part in sys.argv[1:]]
            with sampled(pid) as sizes:
                status = subprocess.run(command, check=False).returncode
            time.sleep(REST)
            after = process_tree.proportional(pid)
    print(Goal("memory, idle", "<=", 0.5, "GB").line(idle / 1e9))
    print(Goal("memory, peak", "<=", 1.5, "GB").line(max(sizes, default=idle) / 1e9))
    print(Goal(f"memory, {REST} s after", "<=", 0.8, "GB").line(after / 1e9))
    sys.exit(status)


if __name__ == "__main__":
    main()
