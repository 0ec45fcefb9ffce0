"""The base of all groups of settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

MIB = 1024 * 1024


class SettingsError(Exception):
    """The settings cannot be used; the message says which one and why."""


class Group(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def added(defaults: Mapping[str, object], given: Any) -> Any:
    """A table of the settings file that adds to the default one; an empty value removes a default.

    A value that is not a table is refused by the type of the setting.
    """
    if not isinstance(given, Mapping):
        return given
    return {name: value for name, value in {**defaults, **given}.items() if value not in ("", [], ())}
