"""The command `antiphon`. Law: each command parses, calls what the server calls, and prints for people.

Commands import what they need when they run, so that `--help` and completion are quick.
"""

from __future__ import annotations

import inspect
import sys
from typing import Annotated

import typer

from app import __version__
from app.cli import (
    audit,
    backup,
    consents,
    db,
    doctor,
    health,
    keys,
    models,
    ray,
    serve,
    speak,
    transcribe,
    usage,
    voices,
)
from app.cli.failures import exits_with_a_sentence
from app.cli.listen import listen

HELP = """A self-hosted server that speaks the OpenAI Audio API.

Start with:
    antiphon serve --prepare

In a checkout this command is .venv/bin/antiphon. To type `antiphon` in every
folder, link it into a folder of your PATH:

In the checkout:
    ln -s "$PWD/.venv/bin/antiphon" ~/.local/bin/

Weights and database are in one folder, whatever the working folder is: `data`
in the checkout, or the folder that ANTIPHON_STORAGE_FOLDER names. To see it:
    antiphon doctor
"""


def with_verbatim_examples(text: str) -> str:
    """The help with a mark before paragraphs that hold indented lines, whose line breaks stay."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(f"\b\n{part}" if "\n    " in part else part for part in paragraphs)


app = typer.Typer(
    name="antiphon",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # plain help is quick, fits 80 columns, and takes brackets as text
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"antiphon {__version__}")
        raise typer.Exit


@app.callback(help=with_verbatim_examples(HELP))
def antiphon(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command as a whole."""


app.command()(serve.serve)
app.command()(transcribe.transcribe)
app.command()(listen)
app.command()(speak.speak)
app.command()(doctor.doctor)
app.command()(health.health)
app.command()(usage.usage)
app.command()(audit.audit)
app.command()(backup.backup)
app.command()(backup.restore)
app.command("config")(doctor.config)
_GROUPS = {
    "voices": voices.app,
    "consents": consents.app,
    "models": models.app,
    "keys": keys.app,
    "db": db.app,
    "ray": ray.app,
}
for _name, _group in _GROUPS.items():
    app.add_typer(_group, name=_name)
for _command in (command for group in (app, *_GROUPS.values()) for command in group.registered_commands):
    _command.help = with_verbatim_examples(inspect.getdoc(_command.callback) or "")


@exits_with_a_sentence
def main() -> None:
    """The entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    code = app(prog_name="antiphon", standalone_mode=False)
    if code:
        sys.exit(code)
