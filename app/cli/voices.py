"""`antiphon voices`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Voices that this machine can speak with.")


@app.command("list")
def list_voices(config: Annotated[Path | None, typer.Option(help="Settings file.")] = None) -> None:
    """List the voices: OpenAI's names first, then every local voice.

    Example:
        antiphon voices list
    """
    from rich.console import Console
    from rich.table import Table

    from app.container import Container
    from app.settings_source import load_settings

    book = Container(load_settings(config)).voices
    table = Table("voice", "speaks as", "language", "gender", "model", "rate (Hz)", box=None)
    builtin = book.builtin()
    for name, found in [*builtin.items(), *((v.voice.name, v) for v in book.all())]:
        voice = found.voice
        other = voice.name if name != voice.name else ""
        table.add_row(name, other, voice.language, voice.gender, found.model.id, str(voice.rate))
    Console().print(table)
    if not builtin:
        raise typer.Exit(1)
