"""`antiphon voices`: the same services as the server's, for the operator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Config, Json, Project

if TYPE_CHECKING:
    from app.cli.tables import TableRow
    from app.container import Container
    from app.domain import Caller, ListedVoice

app = typer.Typer(no_args_is_help=True, help="List, make and delete voices.")
COLUMNS = ("voice", "speaks_as", "language", "gender", "model", "hertz")


@app.command("list")
def list_voices(project: Project = "default", as_json: Json = False, config: Config = None) -> None:
    """List the voices.

    First the project's own, then OpenAI's names, then every local voice. Through a pipe: tab-separated lines
    without a heading.

    Example:
        antiphon voices list
    """
    from app.cli.failures import CommandError
    from app.cli.tables import show
    from app.cli.without_server import run_locally
    from app.domain import Caller
    from app.settings.load import load_settings

    settings = load_settings(config)
    rows = run_locally(settings, lambda container: _rows(container, Caller(project, "cli")))
    if not rows:
        raise CommandError(
            f"There are no voices in {settings.weights_folder}. `antiphon models pull` fetches the "
            "starter set."
        )
    show(COLUMNS, rows, as_json=as_json)


async def _rows(container: Container, caller: Caller) -> list[TableRow]:
    from app.store.schema_check import check_schema, revision_of

    if await revision_of(container.database) is None:  # no database yet, so there are no custom voices
        return [_shown(listed) for listed in await container.services.voices.local()]
    await check_schema(container.database)
    return [_shown(listed) for listed in await container.services.voices.all(caller)]


def _shown(listed: ListedVoice) -> TableRow:
    from app.domain import CustomVoice

    if isinstance(listed.voice, CustomVoice):
        custom = listed.voice
        return _row(custom.id, f"{custom.name} ({custom.cloner})", custom.language, "", custom.model, None)
    voice = listed.voice.voice
    speaks_as = voice.name if listed.name != voice.name else ""
    return _row(listed.name, speaks_as, voice.language, voice.gender, listed.voice.model.id, voice.rate)


def _row(name: str, speaks_as: str, language: str, gender: str, model: str, hertz: int | None) -> TableRow:
    return dict(zip(COLUMNS, (name, speaks_as, language, gender, model, hertz), strict=True))


@app.command("create")
def create_voice(
    sample: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The sample, in any audio format."),
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the voice.")],
    consent: Annotated[
        str, typer.Option(metavar="ID", help="Id of its speaker's consent, or its beginning.")
    ],
    project: Project = "default",
    config: Config = None,
) -> None:
    """Make a voice from 1 to 30 seconds of speech.

    Example:
        antiphon voices create ann.wav --name Ann --consent cons_0123
    """
    from app.cli.consents import whole_consent_id
    from app.cli.without_server import run_for_project

    data = sample.read_bytes()

    async def run(container: Container, caller: Caller) -> tuple[str, str]:
        whole = await whole_consent_id(container, caller, consent)
        custom = await container.custom_voices.create(caller, name, whole, data)
        near = f" near {custom.nearest}, similarity {custom.similarity:.2f}" if custom.nearest else ""
        return custom.id, f"a {custom.cloner} voice{near}"

    voice_id, description = run_for_project(config, project, run)
    print(voice_id)
    typer.echo(description, err=True)


@app.command("delete")
def delete_voice(
    voice: Annotated[str, typer.Argument(metavar="ID", help="Id of the voice, or its beginning.")],
    project: Project = "default",
    config: Config = None,
) -> None:
    """Delete a voice, its sample and its profile.

    Example:
        antiphon voices delete voice_0123
    """
    from app.cli.ids import whole_id
    from app.cli.without_server import run_for_project

    async def run(container: Container, caller: Caller) -> str:
        whole = whole_id(voice, (custom.id for custom in await container.custom_voices.list(caller)), "voice")
        await container.custom_voices.delete(caller, whole)
        return whole

    print(f"{run_for_project(config, project, run)} is deleted.")
