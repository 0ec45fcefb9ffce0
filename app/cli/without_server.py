"""The server's services in this process, without a server. Law: everything that is opened here is closed
here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from app.cli.failures import CommandError, sentence_of

if TYPE_CHECKING:
    from app.container import Container
    from app.domain import Caller
    from app.errors import ApiError
    from app.settings import Settings

Result = TypeVar("Result")


def run_locally(settings: Settings, work: Callable[[Container], Awaitable[Result]]) -> Result:
    """The result of `work`, with a container that is closed afterwards. Raises `CommandError`."""
    from app.container import Container
    from app.errors import ApiError
    from app.settings.one_process import in_one_process

    async def run() -> Result:
        container = Container(in_one_process(settings))
        try:
            return await work(container)
        finally:
            await container.close()

    try:
        return asyncio.run(run())
    except ApiError as failure:
        sentence = explained(failure, settings)
        if sentence is None:
            raise
        raise CommandError(sentence) from failure


def run_for_project(
    config: Path | None, project: str, work: Callable[[Container, Caller], Awaitable[Result]]
) -> Result:
    """Runs `work` on behalf of a project, with a database whose schema is up to date."""
    from app.domain import Caller
    from app.settings.load import load_settings
    from app.store.schema_check import check_schema

    async def run(container: Container) -> Result:
        await check_schema(container.database)
        return await work(container, Caller(project, "cli"))

    return run_locally(load_settings(config), run)


def explained(failure: ApiError, settings: Settings) -> str | None:
    """The sentence for somebody at this machine, who may know its paths; None for an internal error."""
    from app.errors import InternalError, ModelNotFound, ModelUnavailable, NotAudio

    if isinstance(failure, InternalError):
        return sentence_of(failure.__cause__) if failure.__cause__ else None
    if isinstance(failure, ModelUnavailable | ModelNotFound):
        listed = "`antiphon models list` shows the models, `antiphon models pull OWNER/NAME` fetches one."
        advice = f" {listed}" if isinstance(failure, ModelNotFound) else ""
        folder = str(settings.weights_folder)
        looked = "" if folder in failure.message else f" Weights were looked for in {folder}."
        return f"{failure.message}{advice}{looked}"
    if isinstance(failure, NotAudio) and "Supported formats" in failure.message:
        return "This is no sound, or in no format that FFmpeg can read."
    return failure.message
