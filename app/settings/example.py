"""The settings file with every setting, its default and its sentence: what `antiphon config` prints.

Law: it depends on the settings classes only; `config.example.toml` is this text.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any

from pydantic.fields import FieldInfo

from app.settings.default_paths import CONFIG_FILE, CONFIG_VARIABLE
from app.settings.load import groups, variable

COMMENT_WIDTH = 100
"""Columns of a comment."""


def example_toml() -> str:
    """Tables come last in their group, as sections of their own."""
    lines = [
        *_comment(
            "Every setting of Antiphon, its default, and the environment variable that wins over this file."
        ),
        *_comment(
            f"Copy this file to `{CONFIG_FILE}` in the folder of the checkout, or name it in "
            f"`{CONFIG_VARIABLE}`. A relative path is relative to the folder of this file. A name that is "
            "not listed here stops the start."
        ),
        *_comment(
            "For each variable there is one that ends with `_FILE` and names a file with the value: "
            "ANTIPHON_AUTH_KEYS_FILE=/run/secrets/keys."
        ),
    ]
    for group, model in groups().items():
        fields = model.model_fields
        tables = {key: field for key, field in fields.items() if isinstance(field.default, dict)}
        lines += ["", f"# {model.__doc__}", f"[{group}]"]
        for key, field in fields.items():
            if key not in tables:
                lines += [*_explained(group, key, field), f"{key} = {_toml(field.default)}"]
        for key, field in tables.items():
            lines += ["", *_explained(group, key, field), f"[{group}.{key}]"]
            lines += [f"{_key(name)} = {_toml(value)}" for name, value in field.default.items()]
    return "\n".join(lines) + "\n"


def _explained(group: str, key: str, field: FieldInfo) -> list[str]:
    return _comment(f"{field.description} ({variable(group, key)})")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        COMMENT_WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else json.dumps(name)


def _toml(value: Any) -> str:
    """The scalars and arrays of JSON are also TOML, strings with their escapes included."""
    return json.dumps("" if value is None else value, ensure_ascii=False)
