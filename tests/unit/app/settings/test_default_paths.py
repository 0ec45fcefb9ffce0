"""Where data and the settings file lie if nobody says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings import default_paths
from app.settings.load import SettingsError, load_settings
from tests.conftest import ROOT


def test_the_default_folder_does_not_depend_on_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}).folder == ROOT / "data"
    monkeypatch.setattr(default_paths, "home", lambda: tmp_path / "elsewhere")
    assert load_settings(None, {"ANTIPHON_STORAGE_FOLDER": ""}).folder == tmp_path / "elsewhere/data"
    assert load_settings(None, {"ANTIPHON_STORAGE_FOLDER": "mine"}).folder == tmp_path / "mine"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", {}, ".local/share/antiphon"),
        ("linux", {"XDG_DATA_HOME": "relative"}, ".local/share/antiphon"),
        ("linux", {"XDG_DATA_HOME": "/x"}, "/x/antiphon"),
        ("darwin", {}, "Library/Application Support/antiphon"),
        ("win32", {}, "AppData/Local/antiphon"),
        ("win32", {"LOCALAPPDATA": "/y"}, "/y/antiphon"),
    ],
)
def test_without_a_checkout_the_platform_says_where(
    platform: str, environment: dict[str, str], folder: str
) -> None:
    assert default_paths.platform_folder(platform, environment) == Path.home() / folder


def test_a_user_without_a_home_folder_names_a_storage_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr(default_paths, "home", lambda: default_paths.platform_folder("linux", {}))
    assert load_settings(None, {"ANTIPHON_STORAGE_FOLDER": "mine"}).folder == tmp_path / "mine"
    settings = load_settings(None, {})
    with pytest.raises(SettingsError, match="Set ANTIPHON_STORAGE_FOLDER"):
        _ = settings.folder


def test_where_the_settings_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(default_paths, "home", lambda: home)
    assert default_paths.settings_file(None, {}) is None
    (home / "config.toml").write_text("[server]\nport = 1\n[storage]\nfolder = 'mine'\n")
    settings = load_settings(None, {})
    assert (settings.server.port, settings.folder) == (1, home / "mine")
    (here / "config.toml").write_text("[server]\nport = 2")
    assert load_settings(None, {}).server.port == 2
    assert load_settings(home / "config.toml", {}).server.port == 1
    (here / "config.toml").write_text("[server]\nprot = 2")
    with pytest.raises(SettingsError, match=re.escape(str(here / "config.toml"))):
        load_settings(None, {})
