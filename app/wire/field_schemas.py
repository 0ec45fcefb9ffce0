"""The table of request fields as JSON Schema (for the OpenAPI document) and as Markdown (for docs/api.md).

Law: pure; states no facts, but reads them from the rows and the settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from app.settings import Settings
from app.settings.base import MIB
from app.wire.clean_text import LONGEST_ID
from app.wire.field_row import Endpoint, FieldKind, RequestField
from app.wire.request_fields import of, setting

EXTENSION = "x-antiphon-extension"
_SETTING = re.compile(r"`([a-z_]+\.[a-z_]+)`")
_EDITED_WORD = {
    "type": "object",
    "required": ["word", "start", "end"],
    "properties": {"word": {"type": "string"}, "start": {"type": "number"}, "end": {"type": "number"}},
}
_EDITED_SEGMENT = {
    "type": "object",
    "required": ["start", "end", "text"],
    "properties": {
        "start": {"type": "number"},
        "end": {"type": "number"},
        "text": {"type": "string"},
        "speaker": {"type": "string"},
        "words": {"type": "array", "items": _EDITED_WORD},
    },
}
_VOICE = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}


def object_schema(endpoint: Endpoint, settings: Settings) -> dict[str, Any]:
    """The schema of a form or a JSON body."""
    rows = of(endpoint)
    return {
        "type": "object",
        "required": [row.form_name for row in rows if row.required],
        "properties": {row.form_name: field_schema(row, endpoint, settings) for row in rows},
    }


def parameters(endpoint: Endpoint, settings: Settings) -> list[dict[str, Any]]:
    """The parameters of a query."""
    return [
        {
            "name": row.name,
            "in": "query",
            "required": row.required,
            "description": description(row, settings),
            "schema": _of_kind(row, settings),
        }
        for row in of(endpoint)
    ]


def field_schema(row: RequestField, endpoint: Endpoint, settings: Settings) -> dict[str, Any]:
    """One field of a body."""
    schema = _of_kind(row, settings) | {"description": description(row, settings)}
    default = setting(settings, row.default_setting) if row.default_setting else row.default
    if default is not None:
        schema["default"] = [default] if row.kind == "choices" else default
    if endpoint in row.extension:
        schema[EXTENSION] = True
    return schema


def description(row: RequestField, settings: Settings) -> str:
    """What the field does, with its bounds by the server's own settings, in plain text."""
    bound = _bound(row, settings)
    sentence = _with_values(row, settings, lambda value, _: value)
    return sentence.replace("`", "") + (f" {bound}." if bound else "")


def markdown(endpoint: Endpoint, settings: Settings) -> str:
    """The table of an endpoint's fields."""
    rows = [f"| {_name(row, endpoint)} | {_what(row, settings)} |" for row in of(endpoint)]
    return "\n".join(["| field | what |", "|---|---|", *rows])


def names(endpoint: Endpoint) -> str:
    """The names of an endpoint's fields, as a list in a sentence."""
    return ", ".join(_name(row, endpoint) for row in of(endpoint))


def _name(row: RequestField, endpoint: Endpoint) -> str:
    marks = [*(["required"] if row.required else []), *(["extension"] if endpoint in row.extension else [])]
    return f"`{row.form_name}`" + (f" ({', '.join(marks)})" if marks else "")


def _what(row: RequestField, settings: Settings) -> str:
    values = ", ".join(f"`{choice}`" for choice in row.choices)
    which = "Any of" if row.kind == "choices" else "One of"
    default = setting(settings, row.default_setting) if row.default_setting else row.default
    source = f" (`{row.default_setting}`)" if row.default_setting else ""
    parts = [
        _with_values(row, settings, lambda value, name: f"{value} ({name})"),
        f"{which} {values}." if len(row.choices) > 1 and row.kind != "strategy" else "",
        f"{bound}." if (bound := _bound(row, settings, name=True)) else "",
        f"Default: `{_written(default)}`{source}." if default is not None else "",
    ]
    return " ".join(part for part in parts if part)


def _with_values(row: RequestField, settings: Settings, write: Callable[[str, str], str]) -> str:
    """The description of a request field. Each name of a setting between backticks is replaced by the text
    that `write` returns for its value and name.
    """

    def written(found: re.Match[str]) -> str:
        group = found[1].partition(".")[0]
        known = group in Settings.model_fields
        return write(f"{setting(settings, found[1]):,.10g}", found[0]) if known else found[0]

    return _SETTING.sub(written, row.sentence)


def _bound(row: RequestField, settings: Settings, *, name: bool = False) -> str:
    """A bound of a field, in words. `name`: whether to add the name of the setting that it comes from."""
    high = setting(settings, row.high_setting) if row.high_setting else row.high
    source = f" (`{row.high_setting}`)" if name and row.high_setting else ""
    if row.parts:
        quote = "`" if name else ""
        parts = [
            f"{quote}{p.name}{quote} ({p.low:g} to {p.high:g}, default {p.default:g})" for p in row.parts
        ]
        return f"An object may also have {', '.join(parts)}"
    if row.most:
        several = f"At most {row.most:,} entries"
        return f"{several}, each of at most {_bytes(high)}{source}" if high else several
    if high is None:
        return ""
    if row.kind == "file":
        return f"At most {_bytes(high)}{source}"
    if row.kind == "text":
        return (
            f"At most {high:g} characters{source}"
            if high < 10_000
            else f"At most {high:,} characters{source}"
        )
    return f"{row.low:g} to {high:g}"


def _bytes(size: float) -> str:
    return f"{size / MIB:g} MiB" if size >= MIB else f"{size:g} bytes"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_kind(row: RequestField, settings: Settings) -> dict[str, Any]:
    return _KINDS[row.kind](row, settings)


def _text(row: RequestField, settings: Settings) -> dict[str, Any]:
    high = setting(settings, row.high_setting) if row.high_setting else row.high
    least = {"minLength": 1} if row.required else {}
    return {"type": "string", **least, **({"maxLength": int(high)} if high else {})}


def _number(row: RequestField, _: Settings) -> dict[str, Any]:
    return {"type": row.kind, "minimum": row.low, "maximum": row.high}


def _list(row: RequestField, _: Settings) -> dict[str, Any]:
    most = {"maxItems": row.most} if row.most else {}
    choices = {"enum": list(row.choices)} if row.choices else {}
    return {"type": "array", "items": {"type": "string", **choices}, **most}


def _strategy(row: RequestField, _: Settings) -> dict[str, Any]:
    """One of the choices as a text, or as the `type` of an object with the numbers of the row."""
    choice = {"type": "string", "enum": list(row.choices)}
    numbers = {
        part.name: {
            "type": part.kind,
            "minimum": part.low,
            "maximum": part.high,
            "description": f"With server_vad. Default: {part.default:g}.",
        }
        for part in row.parts
    }
    as_object = {
        "type": "object",
        "required": ["type"],
        "properties": {"type": choice, **numbers},
        "additionalProperties": False,
    }
    return {"anyOf": [choice, as_object]}


_KINDS: dict[FieldKind, Callable[[RequestField, Settings], dict[str, Any]]] = {
    "file": lambda _, __: {"type": "string", "format": "binary"},
    "text": _text,
    "id": lambda _, __: {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
    "texts": _list,
    "clips": _list,
    "choices": _list,
    "choice": lambda row, _: {"type": "string", "enum": list(row.choices)},
    "flag": lambda _, __: {"type": "boolean"},
    "number": _number,
    "integer": _number,
    "strategy": _strategy,
    "segments": lambda row, _: {
        "type": "array",
        "minItems": 1,
        "maxItems": row.most,
        "items": _EDITED_SEGMENT,
    },
    "voice": lambda _, __: {"anyOf": [{"type": "string"}, _VOICE]},
}
