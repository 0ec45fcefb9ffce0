"""Arguments and options that several commands share, and the completion of their values.

Law: completion answers while somebody types: it reads the catalogue and file names and imports nothing heavy.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer


@cache
def _catalogue() -> dict[str, Any]:
    return tomllib.loads(files("app.models").joinpath("catalog.toml").read_text("utf-8"))


def _installed() -> list[str]:
    """Models in the weights folder; none if it cannot be read, since completion must not print errors."""
    from app.settings.load import SettingsError, load_settings

    try:
        settings = load_settings()
        return sorted(
            path.name.replace("--", "/") for path in settings.weights_folder.iterdir() if path.is_dir()
        )
    except (SettingsError, OSError):
        return []


def _names_of(kind: str) -> Iterator[str]:
    """OpenAI's names for a kind of model, the catalogue's, and models that were installed beside them."""
    from app.default_aliases import SPEECH_NAMES, TRANSCRIPTION_NAMES

    yield from TRANSCRIPTION_NAMES if kind == "transcription" else SPEECH_NAMES
    known = _catalogue()
    yield from (name for name, entry in known.items() if entry["kind"] == kind)
    yield from (name for name in _installed() if name not in known and not name.startswith("."))


def complete_model(incomplete: str) -> list[str]:
    """Names of all models, of the catalogue or installed, for completion."""
    names = dict.fromkeys([*_catalogue(), *_installed()])
    return [name for name in names if name.startswith(incomplete) and not name.startswith(".")]


def complete_transcription_model(incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(_names_of("transcription")) if name.startswith(incomplete)]


def complete_speech_model(incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(_names_of("speech")) if name.startswith(incomplete)]


def complete_voice(incomplete: str) -> list[str]:
    """OpenAI's voices, then the voices whose files the catalogue names, for completion."""
    from app.default_aliases import BUILTIN_VOICES

    speech = [entry for entry in _catalogue().values() if entry["kind"] == "speech"]
    local = (Path(name).name.split(".")[0] for entry in speech for name in entry["files"] if _is_voice(name))
    return [name for name in dict.fromkeys([*BUILTIN_VOICES, *sorted(local)]) if name.startswith(incomplete)]


def _is_voice(file: str) -> bool:
    """Whether a file belongs to one voice: Kokoro has a style table for each voice, Piper a network."""
    return file.endswith((".bin", ".onnx.json"))


def number(given: float) -> float:
    """The number of an option. Raises `typer.BadParameter` for `nan`, which no bound of an option refuses."""
    if math.isnan(given):
        raise typer.BadParameter("nan is no number.")
    return given


def text(given: str) -> str:
    """The text without characters that tokenizers refuse: a command line may hold bytes that are not text."""
    from app.wire.clean_text import clean

    return clean(given)


Prompt = Annotated[
    str, typer.Option(metavar="TEXT", callback=text, help="Text that the speech is assumed to follow.")
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Settings file to use instead of the usual one."),
]
Project = Annotated[
    str, typer.Option(metavar="NAME", help="Project whose voices and consents are meant.", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
