"""The manifest: what a model is and which files it has, as JSON beside its files and in an export.

Law: a manifest may come from a stranger, so every value of it is checked before it becomes a `ModelEntry`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from app.domain import ModelKind
from app.models.catalog import FILE_NAME, ModelEntry, parse_entry
from app.models.durable_files import write_atomically
from app.models.errors import WeightsError

MANIFEST = "manifest.json"
FIELDS = frozenset({"kind", "engine", "title", "licence", "owner", "created", "files", "hub", "trusted"})
"""The fields of a manifest that are read. All others are ignored; above all, a manifest cannot name packages
or addresses to download from.
"""
MANIFEST_BYTES = 1 << 20
MOST_FILES = 1000
LARGEST_FILE = 1 << 40
"""The most bytes of a file; a manifest that claims more is wrong."""
LONGEST_TEXT = 200
"""The most characters of a title, a licence, an owner, or the name of an engine or a file."""
_HASH = re.compile(r"[0-9a-f]{64}")


def read_manifest(model: str, data: bytes) -> ModelEntry:
    """The entry that a manifest describes. Raises `WeightsError` that says what is wrong with it."""
    if len(data) > MANIFEST_BYTES:
        raise _wrong(model, f"it is longer than {MANIFEST_BYTES >> 20} MiB")
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError):
        raise _wrong(model, "it is not valid JSON") from None
    if not isinstance(raw, dict):
        raise _wrong(model, "it is not a JSON object")
    _check(model, raw)
    return parse_entry(model, {name: raw[name] for name in FIELDS & raw.keys()})


def find_manifest(model: str, folder: Path) -> ModelEntry | None:
    """The entry of the manifest in `folder`; None if there is none that can be read."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            return read_manifest(model, file.read(MANIFEST_BYTES + 1))
    except (OSError, WeightsError):
        return None


def write_manifest(entry: ModelEntry, folder: Path) -> None:
    write_atomically(folder / MANIFEST, manifest_bytes(entry))


def manifest_bytes(entry: ModelEntry) -> bytes:
    """The bytes of a manifest, which `read_manifest` can read. They do not say where the files came from,
    except for the hub.
    """
    raw: dict[str, Any] = {
        "kind": entry.kind,
        "engine": entry.engine,
        "title": entry.title,
        "licence": entry.licence,
        "owner": entry.owner,
        "created": entry.created,
        "files": {file.name: {"size": file.size, "sha256": file.sha256} for file in entry.files},
    }
    if entry.hub:
        raw["hub"] = asdict(entry.hub)
    if entry.trusted:
        raw["trusted"] = True
    return json.dumps(raw, indent=1).encode()


def _check(model: str, raw: Mapping[str, Any]) -> None:
    for name in ("engine", "title", "licence", "owner"):
        if not _is_text(raw.get(name)):
            raise _wrong(model, f"`{name}` must be a text of at most {LONGEST_TEXT} characters")
    if raw.get("kind") not in get_args(ModelKind):
        raise _wrong(model, f"`kind` must be one of {', '.join(get_args(ModelKind))}")
    if not _is_number(raw.get("created")):
        raise _wrong(model, "`created` must be a whole number of seconds")
    hub = raw.get("hub", {"repo": "", "revision": ""})
    known = isinstance(hub, dict) and {"repo", "revision"} <= hub.keys() <= {"repo", "revision", "path"}
    if not known or not all(map(_is_text, hub.values())):
        raise _wrong(model, "`hub` must have the texts `repo`, `revision` and perhaps `path`")
    files = raw.get("files")
    if not isinstance(files, dict) or not 0 < len(files) <= MOST_FILES:
        raise _wrong(model, f"`files` must name 1 to {MOST_FILES} files")
    for name, file in files.items():
        _check_file(model, name, file)


def _check_file(model: str, name: str, file: object) -> None:
    shown = ascii(name)[:LONGEST_TEXT]
    if not _is_text(name) or not FILE_NAME.fullmatch(name) or not name.isprintable() or name == MANIFEST:
        raise _wrong(model, f"{shown} is not the name of a file in the model's folder")
    if not isinstance(file, dict) or not _is_number(file.get("size")) or file["size"] > LARGEST_FILE:
        raise _wrong(model, f"the file {shown} must have a `size` in bytes")
    if not isinstance(file.get("sha256"), str) or not _HASH.fullmatch(file["sha256"]):
        raise _wrong(model, f"the file {shown} must have a `sha256` of 64 hexadecimal digits")
    if file.keys() - {"size", "sha256"}:
        raise _wrong(model, f"the file {shown} may have nothing but `size` and `sha256`")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _wrong(model: str, reason: str) -> WeightsError:
    return WeightsError(f"The manifest of `{model}` cannot be used: {reason}.")
