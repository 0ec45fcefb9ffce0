"""The weights are hashed while the server's libraries are imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli import serve
from app.models import durable_files
from app.settings.load import load_settings

HERE, ABSENT = "whisper-base", "kokoro-82m"


def test_the_files_of_the_models_to_be_loaded_are_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []
    monkeypatch.setattr(durable_files, "hash_of", hashed.append)
    given = {
        "ANTIPHON_STORAGE_FOLDER": str(tmp_path),
        "ANTIPHON_MODELS_PRELOAD": f"whisper-1,{ABSENT},{tmp_path}",
    }
    settings = load_settings(None, given)
    folder = settings.weights_folder / HERE
    (folder / "inner").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights")
    serve._hash_ahead(settings).join()
    assert hashed == [folder / "model.bin"]
