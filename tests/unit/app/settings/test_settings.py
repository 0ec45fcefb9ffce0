"""Settings: precedence, and sentences for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings
from app.settings.source import SettingsError, example_toml, load_settings
from tests.conftest import ROOT


def load(tmp_path: Path, text: str = "", **environment: str) -> Settings:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load_settings(file, environment)


def test_the_example_is_the_code() -> None:
    assert (ROOT / "config.example.toml").read_text() == example_toml()


def test_the_example_holds_every_default(tmp_path: Path) -> None:
    assert load(tmp_path, example_toml()) == Settings()


def test_every_setting_has_a_sentence() -> None:
    for group in Settings.model_fields.values():
        for name, field in group.annotation.model_fields.items():  # type: ignore[union-attr]  # every group is a model
            assert field.description, name
            assert field.description.endswith("."), name


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    text = "[server]\nport = 1\nhost = '127.0.0.2'\n"
    settings = load(tmp_path, text, ANTIPHON_SERVER_PORT="2")
    assert (settings.server.port, settings.server.host) == (2, "127.0.0.2")


@pytest.mark.parametrize("text", ["a,b", "a, b", '["a", "b"]'])
def test_lists_in_the_environment(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, ANTIPHON_AUTH_KEYS=text).auth.keys == ("a", "b")


def test_tables_in_the_environment(tmp_path: Path) -> None:
    settings = load(tmp_path, ANTIPHON_MODELS_ALIASES='{ "whisper-1" = "x" }')
    assert settings.models.aliases == {"whisper-1": "x"}


@pytest.mark.parametrize(
    ("text", "environment", "told"),
    [
        ("[server]\nprot = 1", {}, ("server.prot", "server.port")),
        ("[sever]\nport = 1", {}, ("sever", "server")),
        ("port = 1", {}, ("port", "server.port")),
        ("server = 1", {}, ("server",)),
        ("server = 1", {"ANTIPHON_SERVER_PORT": "1"}, ("[server]",)),
        ("[server]\nport = 'x'", {}, ("server.port",)),
        ("[server]\nport = 70000", {}, ("server.port",)),
        ("[server", {}, ("not valid TOML",)),
        ("[auth]\nkeys = ['a b']", {}, ("auth.keys",)),
        ("", {"ANTIPHON_SERVER_PROT": "1"}, ("ANTIPHON_SERVER_PROT", "ANTIPHON_SERVER_PORT")),
        ("", {"ANTIPHON_MODELS_ALIASES": "x"}, ("ANTIPHON_MODELS_ALIASES",)),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest(
    tmp_path: Path, text: str, environment: dict[str, str], told: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text, **environment)
    for part in told:
        assert part in str(caught.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", {})
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(None, {"ANTIPHON_CONFIG": str(tmp_path / "none.toml")})
