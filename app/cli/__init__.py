"""The command `antiphon`. Law: each command parses, calls what the server calls, and prints for people."""

from __future__ import annotations

import typer

from app.cli import db, doctor, keys, models, serve, speak, transcribe, voices
from app.cli.common import exits_with_a_sentence

app = typer.Typer(
    name="antiphon",
    help="A self-hosted server that speaks the OpenAI Audio API.",
    epilog="Start with: antiphon serve --prepare",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.command()(transcribe.transcribe)
app.command()(speak.speak)
app.add_typer(voices.app, name="voices")
app.add_typer(voices.consents, name="consents")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")
app.command()(doctor.doctor)
app.command("config")(doctor.config)


@exits_with_a_sentence
def main() -> None:
    """The entry point of the installed command."""
    app()
