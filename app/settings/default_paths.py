"""Default locations: the folder of Antiphon's data, and the settings file.

Law: nothing depends on the working folder, except for a `config.toml` that lies in it; nothing is created.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from app.settings.base import SettingsError

CONFIG_VARIABLE = "ANTIPHON_CONFIG"
CONFIG_FILE = "config.toml"


def home(environment: Mapping[str, str] | None = None) -> Path:
    """The checkout that this code runs from, else the platform's folder for application data."""
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").is_file():
        return root
    return platform_folder(sys.platform, os.environ if environment is None else environment)


def platform_folder(platform: str, environment: Mapping[str, str]) -> Path:
    """Where `platform` (as in `sys.platform`) keeps the data of applications. Raises `SettingsError`."""
    try:
        user = Path.home()
    except RuntimeError:
        raise SettingsError("This user has no home folder. Set ANTIPHON_STORAGE_FOLDER.") from None
    if platform == "win32":
        base = environment.get("LOCALAPPDATA") or user / "AppData" / "Local"
    elif platform == "darwin":
        base = user / "Library" / "Application Support"
    else:
        base = environment.get("XDG_DATA_HOME") or user / ".local" / "share"
        if not Path(base).is_absolute():  # the XDG specification says that a relative path is ignored
            base = user / ".local" / "share"
    return Path(base) / "antiphon"


def data_folder() -> Path:
    """The folder of weights and database where `storage.folder` is empty."""
    return home() / "data"


def settings_file(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The settings file: the one that is named, else the first that exists; None if there is none."""
    if named:
        return named
    if environment.get(CONFIG_VARIABLE):
        return Path(environment[CONFIG_VARIABLE])
    return next((path for path in usual_files() if path.exists()), None)


def usual_files() -> tuple[Path, ...]:
    """Where a settings file is looked for, in this order, if none is named."""
    here = Path(CONFIG_FILE).absolute()
    try:
        return here, home() / CONFIG_FILE
    except SettingsError:  # without a home folder there is no file in it
        return (here,)
