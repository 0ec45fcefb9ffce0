"""`antiphon voices` and `antiphon consents`: the same services as the server's, for the operator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from app.container import Container
    from app.domain import Caller

app = typer.Typer(no_args_is_help=True, help="Voices that this machine can speak with.")
consents = typer.Typer(no_args_is_help=True, help="Consents that custom voices need.")
Config = Annotated[Path | None, typer.Option(help="Settings file.")]
Project = Annotated[str, typer.Option(help="Whose voices and consents.")]
Recording = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Sound in any format.")]
Result = TypeVar("Result")


@app.command("list")
def list_voices(project: Project = "default", config: Config = None) -> None:
    """List the voices: the project's own, OpenAI's names, then every local voice.

    Example:
        antiphon voices list
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("voice", "speaks as", "language", "gender", "model", "rate (Hz)", box=None)
    for made in _run(config, project, lambda house, caller: house.custom_voices.list(caller)):
        table.add_row(made.id, f"{made.name} ({made.cloner})", made.language, "", made.model, "")
    book = _container(config).voices
    builtin = book.builtin()
    for name, found in [*builtin.items(), *((v.voice.name, v) for v in book.all())]:
        voice = found.voice
        other = voice.name if name != voice.name else ""
        table.add_row(name, other, voice.language, voice.gender, found.model.id, str(voice.rate))
    Console().print(table)
    if not builtin:
        raise typer.Exit(1)


@app.command("create")
def create_voice(
    sample: Recording,
    name: Annotated[str, typer.Option(help="What to call it.")],
    consent: Annotated[str, typer.Option(help="Id of its speaker's consent.")],
    project: Project = "default",
    config: Config = None,
) -> None:
    """Make a voice from a sample of 1 to 30 seconds of speech.

    Example:
        antiphon voices create ann.wav --name Ann --consent cons_...
    """
    data = sample.read_bytes()
    made = _run(config, project, lambda h, caller: h.custom_voices.create(caller, name, consent, data))
    print(made.id)
    near = f" near {made.nearest}, similarity {made.similarity:.2f}" if made.nearest else ""
    typer.echo(f"a {made.cloner} voice{near}", err=True)


@app.command("delete")
def delete_voice(
    voice: Annotated[str, typer.Argument(help="Its id.")], project: Project = "default", config: Config = None
) -> None:
    """Delete a voice, its sample and its profile.

    Example:
        antiphon voices delete voice_...
    """
    _run(config, project, lambda house, caller: house.custom_voices.delete(caller, voice))


@consents.command("create")
def create_consent(
    recording: Recording,
    name: Annotated[str, typer.Option(help="Whose consent it is.")],
    language: Annotated[str, typer.Option(help="Language of the phrase, such as en-US.")] = "en-US",
    project: Project = "default",
    config: Config = None,
) -> None:
    """Record a consent from a file; it must say the phrase that `antiphon consents phrase` shows.

    Example:
        antiphon consents create ann-consents.wav --name Ann --language en-US
    """
    data = recording.read_bytes()
    print(_run(config, project, lambda h, caller: h.consents.create(caller, name, language, data)).id)


@consents.command("phrase")
def phrase(language: Annotated[str, typer.Argument()] = "en", config: Config = None) -> None:
    """Show the phrase that a speaker must read.

    Example:
        antiphon consents phrase de
    """
    from app.settings.source import load_settings
    from app.text.phrases import PHRASES, expected_phrase

    found = expected_phrase(language, load_settings(config).voices.organisation)
    if found is None:
        raise typer.BadParameter(
            f"There is no phrase in {language}; there are: {', '.join(sorted(PHRASES))}."
        )
    print(found)


@consents.command("list")
def list_consents(project: Project = "default", config: Config = None) -> None:
    """List the consents, newest first.

    Example:
        antiphon consents list
    """
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "language", "made", box=None)
    found, _ = _run(config, project, lambda house, caller: house.consents.list(caller, None, 10_000))
    for consent in found:
        made = time.strftime("%Y-%m-%d", time.gmtime(consent.created))
        table.add_row(consent.id, consent.name, consent.language, made)
    Console().print(table)


@consents.command("delete")
def delete_consent(
    consent: Annotated[str, typer.Argument(help="Its id.")],
    project: Project = "default",
    config: Config = None,
) -> None:
    """Delete a consent, and with it every voice made from it, at once.

    Example:
        antiphon consents delete cons_...
    """
    _run(config, project, lambda house, caller: house.consents.delete(caller, consent))


def _container(config: Path | None) -> Container:
    from app.container import Container
    from app.settings.source import load_settings

    return Container(load_settings(config))


def _run(config: Path | None, project: str, step: Callable[[Container, Caller], Awaitable[Result]]) -> Result:
    from app.domain import Caller

    async def all_of_it() -> Result:
        container = _container(config)
        try:
            await container.database.check()
            return await step(container, Caller(project, "cli"))
        finally:
            await container.close()

    return asyncio.run(all_of_it())
