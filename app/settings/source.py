"""Reading the settings: the file, the environment, and sentences for what is wrong with them.

Law: text in, `Settings` or one `SettingsError` out.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from app.settings import Settings

PREFIX = "ANTIPHON_"
CONFIG_VARIABLE = "ANTIPHON_CONFIG"
CONFIG_FILE = "config.toml"


class SettingsError(Exception):
    """The settings cannot be used; the message says which one and why."""


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of `file` (default: `$ANTIPHON_CONFIG`, else `config.toml` if it is there), overridden by
    the environment. Raises `SettingsError`.
    """
    environment = os.environ if environment is None else environment
    values = _read_file(file, environment)
    for (group, key), text in _overrides(environment).items():
        section = values.setdefault(group, {})
        if not isinstance(section, dict):
            raise SettingsError(f"`{group}` in the settings file is a group: write `[{group}]`.")
        section[key] = _parse(group, key, text)
    try:
        return Settings.model_validate(values)
    except ValidationError as wrong:
        raise SettingsError("\n".join(_sentence(error) for error in wrong.errors())) from None


def example_toml() -> str:
    """Every setting with its default and its sentence, as a TOML file."""
    lines = [
        "# Every setting of Antiphon, its default, and the environment variable that wins over this file.",
        f"# Copy it to `{CONFIG_FILE}`, or name it in `{CONFIG_VARIABLE}`. Unknown keys stop the start.",
    ]
    for group, model in _groups().items():
        lines += ["", f"# {model.__doc__}", f"[{group}]"]
        for key, field in model.model_fields.items():
            lines += [f"# {field.description} ({_variable(group, key)})", _toml_line(key, field.default)]
    return "\n".join(lines) + "\n"


def _groups() -> dict[str, type[BaseModel]]:
    fields = Settings.model_fields
    return {name: cast("type[BaseModel]", field.annotation) for name, field in fields.items()}


def _variable(group: str, key: str) -> str:
    return f"{PREFIX}{group}_{key}".upper()


def _variables() -> dict[str, tuple[str, str]]:
    return {_variable(g, key): (g, key) for g, model in _groups().items() for key in model.model_fields}


def _read_file(file: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    named = file or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    path = named or Path(CONFIG_FILE)
    if not named and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as wrong:
        raise SettingsError(f"The settings file {path} cannot be read: {wrong.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"The settings file {path} is not valid TOML: {wrong}.") from None


def _overrides(environment: Mapping[str, str]) -> dict[tuple[str, str], str]:
    known = _variables()
    found = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        if name not in known:
            raise SettingsError(
                f"The environment variable {name} is no setting.{_nearest(name, [*known, CONFIG_VARIABLE])}"
            )
        found[known[name]] = text
    return found


def _parse(group: str, key: str, text: str) -> Any:
    """A scalar as it is; a list or a table as TOML, and a list also as words with commas between."""
    default = _groups()[group].model_fields[key].default
    if not isinstance(default, (tuple, dict)):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if isinstance(default, tuple):
            return [part.strip() for part in text.split(",") if part.strip()]
        raise SettingsError(f"{_variable(group, key)} must be a TOML table.") from None


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"There is no setting `{where}`.{_nearest(where, _known_keys())}"
    return f"The setting `{where}` is wrong: {error['msg']}."


def _known_keys() -> list[str]:
    groups = _groups()
    return [*groups, *(f"{group}.{key}" for group, model in groups.items() for key in model.model_fields)]


def _nearest(name: str, known: list[str]) -> str:
    same_key = [other for other in known if other.rpartition(".")[2] == name]
    close = same_key or get_close_matches(name, known, n=1, cutoff=0.4)
    return f" Did you mean `{close[0]}`?" if close else ""


def _toml_line(key: str, value: Any) -> str:
    return f"{key} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {_toml(item)}' for key, item in value.items()) + " }"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
