"""`antiphon consents`: recorded consents, which custom voices need; the same services as the server's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Config, Json, Project

if TYPE_CHECKING:
    from app.container import Container
    from app.domain import Caller, VoiceConsent

app = typer.Typer(no_args_is_help=True, help="Record, list and delete the consents that custom voices need.")
PAGE_SIZE = 100


@app.command("create")
def create_consent(
    recording: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, help="The recording, in any audio format."
        ),
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Whose consent it is.")],
    language: Annotated[
        str, typer.Option(metavar="TAG", help="Language of the phrase, such as en-US.")
    ] = "en-US",
    project: Project = "default",
    config: Config = None,
) -> None:
    """Record a consent from a file.

    In it, the speaker says the phrase that `antiphon consents phrase` shows.

    Example:
        antiphon consents create ann-consents.wav --name Ann --language en-US
    """
    from app.cli.without_server import run_for_project

    data = recording.read_bytes()
    consent = run_for_project(
        config, project, lambda c, caller: c.consents.create(caller, name, language, data)
    )
    print(consent.id)


@app.command("phrase")
def phrase(
    language: Annotated[
        str, typer.Argument(metavar="TAG", help="Language of the phrase, such as de.")
    ] = "en",
    config: Config = None,
) -> None:
    """Show the phrase that a speaker must read.

    Example:
        antiphon consents phrase de
    """
    from app.settings.load import load_settings
    from app.text.consent_phrases import PHRASES, expected_phrase

    text = expected_phrase(language, load_settings(config).voices.organisation)
    if text is None:
        known = ", ".join(sorted(PHRASES))
        raise typer.BadParameter(f"There is no phrase in {language!r}. Languages that have one: {known}.")
    print(text)


@app.command("list")
def list_consents(project: Project = "default", as_json: Json = False, config: Config = None) -> None:
    """List the consents, newest first.

    Through a pipe: tab-separated lines without a heading.

    Example:
        antiphon consents list
    """
    from app.cli.tables import show
    from app.cli.without_server import run_for_project

    rows = [
        {
            "id": consent.id,
            "name": consent.name,
            "language": consent.language,
            "created": time.strftime("%Y-%m-%d", time.gmtime(consent.created)),
        }
        for consent in run_for_project(config, project, every_consent)
    ]
    show(("id", "name", "language", "created"), rows, as_json=as_json)


@app.command("delete")
def delete_consent(
    consent: Annotated[str, typer.Argument(metavar="ID", help="Id of the consent, or its beginning.")],
    project: Project = "default",
    config: Config = None,
) -> None:
    """Delete a consent and the voices made from it.

    Example:
        antiphon consents delete cons_0123
    """
    from app.cli.without_server import run_for_project

    async def run(container: Container, caller: Caller) -> str:
        whole = await whole_consent_id(container, caller, consent)
        await container.consents.delete(caller, whole)
        return whole

    print(f"{run_for_project(config, project, run)} and the voices made from it are deleted.")


async def every_consent(container: Container, caller: Caller) -> list[VoiceConsent]:
    """All consents of a project, newest first."""
    consents: list[VoiceConsent] = []
    more = True
    while more:
        page, more = await container.consents.list(caller, consents[-1].id if consents else None, PAGE_SIZE)
        consents += page
    return consents


async def whole_consent_id(container: Container, caller: Caller, typed: str) -> str:
    """The one consent whose id begins with `typed`. Raises `CommandError` if there is none, or more than
    one.
    """
    from app.cli.ids import whole_id

    return whole_id(typed, (consent.id for consent in await every_consent(container, caller)), "consent")
