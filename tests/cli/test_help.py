"""The help of every command, found by walking the tree of commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from app import __version__
from app.cli import app
from tests.conftest import ROOT
from tests.support.command import Command

HEAVY = {
    "numpy",
    "sqlalchemy",
    "pydantic",
    "fastapi",
    "starlette",
    "rich",
    "httpx2",
    "alembic",
    "onnxruntime",
}


def tree(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and every group of commands, with the words that call it."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from tree(child, (*path, name))


COMMANDS = dict(tree(typer.main.get_command(app)))
LEAVES = {path: command for path, command in COMMANDS.items() if not hasattr(command, "commands")}


def test_the_tree_is_walked() -> None:
    assert len(LEAVES) >= 20
    assert ("models", "list") in LEAVES


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_teaches(antiphon: Command, path: tuple[str, ...]) -> None:
    done = antiphon(*path, "--help")
    assert done.code == 0
    assert all(len(line) <= 80 for line in done.out.splitlines()), done.out
    assert "<bool>" not in done.out
    if path in LEAVES:
        assert f"    antiphon {' '.join(path)}" in done.out, "an example, on a line of its own"
        assert "Example" in done.out
    else:
        assert "..." not in done.out.split("Commands:")[1], "a first sentence is too long for the list"
    assert not list(antiphon.folder.iterdir())
    assert not antiphon.data.exists()


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_parameter_is_explained(path: tuple[str, ...]) -> None:
    for parameter in LEAVES[path].params:
        assert parameter.help, f"{path}: {parameter.name}"
        assert parameter.help.rstrip()[-1] in ".", f"{path}: {parameter.help}"


def loaded(*arguments: str, **environment: str) -> set[str]:
    """Top-level modules that a call of the command imports."""
    code = (
        "import sys\ntry:\n    import app.cli; app.cli.main()\nfinally:\n    print('MODULES', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        check=False,
    )
    assert "MODULES" in done.stdout, done.stderr
    return {name.split(".")[0] for name in done.stdout.split("MODULES ")[1].split()}


def test_help_imports_nothing_heavy() -> None:
    modules = loaded("--help")
    assert "typer" in modules
    assert not modules & HEAVY


def test_completion_imports_no_arrays_and_no_database() -> None:
    words = "antiphon speak --voice a"
    modules = loaded(_ANTIPHON_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")
    assert not modules & (HEAVY - {"pydantic"})


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("speak --voice a", {"alloy", "ash", "af_alloy"}),
        ("speak --model ", {"tts-1", "kokoro-82m"}),
        ("transcribe --model whisper", {"whisper-1", "whisper-base", "whisper-mine"}),
        ("models remove whisper-m", {"whisper-mine"}),
    ],
)
def test_voices_and_models_are_completed(
    antiphon: Command, monkeypatch: pytest.MonkeyPatch, words: str, offered: set[str]
) -> None:
    (antiphon.data / "weights" / "whisper-mine").mkdir(parents=True)
    words = f"antiphon {words}"
    monkeypatch.setenv("_ANTIPHON_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert offered <= set(antiphon().out.split())


def test_completion_survives_broken_settings(antiphon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (antiphon.folder / "config.toml").write_text("[nonsense")
    monkeypatch.setenv("_ANTIPHON_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "antiphon models pull w")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert antiphon().out.split() == [
        "whisper-base", "whisper-large-v3", "whisper-large-v3-turbo", "whisper-distil-large-v3.5",
    ]  # fmt: skip


def test_the_version_is_told(antiphon: Command) -> None:
    assert antiphon("--version").out == f"antiphon {__version__}\n"


def test_the_example_of_the_settings_is_printed(antiphon: Command) -> None:
    assert antiphon("config").out == Path(ROOT / "config.example.toml").read_text()
