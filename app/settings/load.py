"""Reading the settings: the file, the environment, and sentences for what is wrong with them.

Law: text in, `Settings` or one `SettingsError` out. The environment wins over the file. For each variable
`ANTIPHON_X` there is `ANTIPHON_X_FILE`, which names a file that holds the value, as secrets are mounted.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError

from app.settings import Settings
from app.settings.base import SettingsError as SettingsError  # noqa: PLC0414 - also offered here
from app.settings.default_paths import CONFIG_VARIABLE, settings_file

PREFIX = "ANTIPHON_"
FILE_SUFFIX = "_FILE"
SERVICE_LINK = re.compile(r"ANTIPHON_(SERVICE_(HOST|PORT)\w*|PORT|PORT_\d+_(TCP|UDP)\w*)")
"""Variables that Kubernetes and Docker set for a service of the name `antiphon`; they are no settings."""
LONGEST_FILE = 1 << 20
"""Bytes of a settings file or of a file that holds one value."""


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of `file` (default: see `default_paths.settings_file`), overridden by the environment.

    Raises `SettingsError`.
    """
    environment = os.environ if environment is None else environment
    path = settings_file(file, environment)
    values = _read_toml(path) if path else {}
    for (group, key), text in _overrides(environment).items():
        section = values.setdefault(group, {})
        if not isinstance(section, dict):
            raise SettingsError(f"`{group}` in the settings file {path} is a group: write `[{group}]`.")
        section[key] = _parse(group, key, text)
    try:
        return Settings.model_validate(values)
    except ValidationError as wrong:
        read = f" (settings file: {path})" if path else ""
        raise SettingsError("\n".join(_sentence(error) for error in wrong.errors()) + read) from None


def groups() -> dict[str, type[BaseModel]]:
    """Each group of settings by its name, in the order of the settings file."""
    fields = Settings.model_fields
    return {name: cast("type[BaseModel]", field.annotation) for name, field in fields.items()}


def variable(group: str, key: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{group}_{key}".upper()


def _variables() -> dict[str, tuple[str, str]]:
    return {variable(g, key): (g, key) for g, model in groups().items() for key in model.model_fields}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(_read_text(path))
    except tomllib.TOMLDecodeError as wrong:
        raise SettingsError(f"The settings file {path} is not valid TOML: {wrong}.") from None
    _resolve_paths(values, path.absolute().parent)
    return values


def _read_text(path: Path) -> str:
    """The text of a file. Raises `SettingsError`."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_FILE + 1)
        if len(data) > LONGEST_FILE:
            raise SettingsError(f"{path} is longer than {LONGEST_FILE:,} bytes, too long for settings.")
        return data.decode("utf-8-sig")
    except OSError as wrong:
        raise SettingsError(f"{path} cannot be read: {wrong.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text.") from None


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    """Relative paths in a settings file are relative to its folder, so that it means the same everywhere."""
    for group, model in groups().items():
        section = values.get(group)
        if not isinstance(section, dict):
            continue
        for key, field in model.model_fields.items():
            if key in section and _holds_paths(field.annotation):
                section[key] = _resolved(section[key], folder)


def _holds_paths(annotation: Any) -> bool:
    return annotation is Path or any(_holds_paths(part) for part in get_args(annotation))


def _resolved(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_resolved(item, folder) for item in value]
    return str(folder / Path(value).expanduser()) if isinstance(value, str) and value else value


def _overrides(environment: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """What the environment says: setting -> text. Raises `SettingsError` for an unknown variable."""
    known = _variables()
    values = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE or SERVICE_LINK.fullmatch(name):
            continue
        plain = name if name in known else name.removesuffix(FILE_SUFFIX)
        if plain not in known:
            raise SettingsError(
                f"The environment variable {name} is no setting.{_nearest(name, [*known, CONFIG_VARIABLE])}"
            )
        if plain != name and plain in environment:
            raise SettingsError(f"{plain} and {name} are both set; set only one of them.")
        values[known[plain]] = text if plain == name else _secret(name, text)
    return values


def _secret(name: str, path: str) -> str:
    try:
        return _read_text(Path(path)).strip()
    except SettingsError as wrong:
        raise SettingsError(f"{name}: {wrong}") from None


def _parse(group: str, key: str, text: str) -> Any:
    """A list or a table is written as TOML, a list also as words separated by commas or lines."""
    default = groups()[group].model_fields[key].default
    if not isinstance(default, (tuple, dict)):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if isinstance(default, tuple):
            return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]
        raise SettingsError(
            f'{variable(group, key)} must be a TOML table, such as {{ "a" = "b" }}.'
        ) from None


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"There is no setting `{where}`.{_nearest(where, _known_keys())}"
    return f"The setting `{where}` is wrong: {error['msg']}."


def _known_keys() -> list[str]:
    return [*groups(), *(f"{group}.{key}" for group, model in groups().items() for key in model.model_fields)]


def _nearest(name: str, known: list[str]) -> str:
    same_key = [other for other in known if other.rpartition(".")[2] == name]
    close = same_key or get_close_matches(name, known, n=1, cutoff=0.4)
    return f" Did you mean `{close[0]}`?" if close else ""
