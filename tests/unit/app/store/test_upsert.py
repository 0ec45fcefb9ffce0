"""The dialect of PostgreSQL is imported by those alone who use it."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT


def test_postgresql_is_not_imported_without_need() -> None:
    code = "import sys, app.store.usage, app.store.voice_loudness; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "app.store.upsert" in done.stdout.split()
    assert "sqlalchemy.dialects.postgresql" not in done.stdout.split()
