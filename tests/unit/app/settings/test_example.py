"""`config.example.toml` is the settings as the code has them."""

from __future__ import annotations

from pathlib import Path

from app.settings import Settings
from app.settings.example import example_toml
from app.settings.load import load_settings
from tests.conftest import ROOT


def test_the_example_is_the_code() -> None:
    assert (ROOT / "config.example.toml").read_text() == example_toml()


def test_the_example_holds_every_default(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(example_toml())
    assert load_settings(file, {}) == Settings()


def test_every_setting_has_a_sentence() -> None:
    for group in Settings.model_fields.values():
        for name, field in group.annotation.model_fields.items():  # type: ignore[union-attr]  # every group is a model
            assert field.description, name
            assert field.description.endswith("."), name
