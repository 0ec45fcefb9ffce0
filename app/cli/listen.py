"""`antiphon listen`: transcribes a microphone live, without a server."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from app.cli.failures import CommandError, tell
from app.cli.options import Config, Prompt, complete_transcription_model
from app.cli.output_files import check_target, make_folder
from app.cli.tables import printable

if TYPE_CHECKING:
    from app.container import Container
    from app.domain.live import LiveEvent, LiveSettings
    from app.services.steps.live_session import LiveSession
    from app.settings import Settings

LAST_WORDS_SECONDS = 30.0
"""Seconds to wait for the last words after the sound has ended."""
WEEK_SECONDS = 7 * 86_400.0
"""A microphone may be open for longer than a request of the server may take."""


File = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="Listen to a file at its own pace, not to a microphone."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="File to which each turn is added as a line."),
]
Model = Annotated[
    str, typer.Option(metavar="NAME", autocompletion=complete_transcription_model, help="Model name.")
]
Language = Annotated[
    str, typer.Option(metavar="TAG", help="Language of the speech, such as en; default: detected.")
]
Pause = Annotated[
    int, typer.Option(metavar="MS", min=100, max=60_000, help="Milliseconds of silence that end a turn.")
]
Device = Annotated[
    str, typer.Option(metavar="NAME", help="Microphone, as parec or arecord names it; default: the usual.")
]


def listen(
    file: File = None,
    output: Output = None,
    model: Model = "whisper-1",
    language: Language = "",
    prompt: Prompt = "",
    pause: Pause = 500,
    device: Device = "",
    config: Config = None,
) -> None:
    """Print the words of a microphone while they are spoken.

    Each turn is a line. Ctrl-C ends it. The microphone is read with `parec` or
    `arecord`.

    Examples:
        antiphon listen --language en
        antiphon listen -o notes.txt
        antiphon listen --file talk.mp3
    """
    from app.cli.without_server import run_locally

    logging.getLogger("app").setLevel(logging.ERROR)
    if file is not None and not file.is_file():
        raise typer.BadParameter(f"There is no file {file}.", param_hint="--file")
    if output:
        check_target(output, sources=(file,) if file else ())
    chosen = _chosen(model=model, language=language, prompt=prompt, pause=pause)
    with _lines(output) as lines:
        run_locally(_settings(config), partial(_run, chosen=chosen, file=file, device=device, lines=lines))


def _chosen(*, model: str, language: str, prompt: str, pause: int) -> LiveSettings:
    """The settings of the session. Raises `typer.BadParameter` for a language that Whisper does not know."""
    from app.domain.live import LiveSettings, ServerTurns, SoundFormat
    from app.wire.languages import language_code

    code = language_code(language) if language else None
    if language and not code:
        raise typer.BadParameter(f"{language!r} is no language that Whisper knows.", param_hint="--language")
    return LiveSettings(
        model=model,
        format=SoundFormat("pcm", 16_000),
        language=code,
        prompt=prompt,
        turns=ServerTurns(silence_duration_ms=pause),
    )


def _settings(config: Path | None) -> Settings:
    from app.settings.load import load_settings

    settings = load_settings(config)
    limits = settings.limits.model_copy(update={"request_seconds": WEEK_SECONDS})
    return settings.model_copy(update={"limits": limits})


@contextmanager
def _lines(path: Path | None) -> Iterator[TextIO | None]:
    """The file of `--output`, to which turns are added."""
    if path is None:
        yield None
        return
    make_folder(path.absolute().parent)
    with path.open("a", encoding="utf-8") as file:
        yield file


class _Printer:
    """Writes words to standard output as soon as they are final, and each complete turn to the file."""

    def __init__(self, lines: TextIO | None) -> None:
        self._lines = lines
        self._open = False

    def tell(self, event: LiveEvent) -> None:
        from app.domain.live import ItemCompleted, ItemFailed, ItemText

        if isinstance(event, ItemText):
            self._open = True
            print(printable("".join(word.text for word in event.words)), end="", flush=True)
        elif isinstance(event, ItemFailed):
            self._end()
            tell(f"antiphon: {event.message}")
        elif isinstance(event, ItemCompleted) and event.text:
            self._end()
            if self._lines:
                print(event.text, file=self._lines, flush=True)

    def _end(self) -> None:
        if self._open:
            print(flush=True)
        self._open = False


async def _run(
    container: Container, chosen: LiveSettings, file: Path | None, device: str, lines: TextIO | None
) -> None:
    from app.cli.recorders import file_at_its_pace, microphone

    live = container.services.live
    await live.load(chosen.model)
    session = await live.open(chosen, _Printer(lines).tell)
    try:
        sound = file_at_its_pace(file) if file else microphone(device)
        if not file:
            tell("antiphon: listening; Ctrl-C ends it.")
        await _heard(session, sound)
        await _finished(session)
    finally:
        await session.close()


async def _heard(session: LiveSession, sound: AsyncGenerator[bytes]) -> None:
    """Returns when the sound ends, or with the first Ctrl-C."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(_feed(session, sound))
    with suppress(NotImplementedError):  # on Windows, Ctrl-C ends the command at once
        loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await task
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)


async def _feed(session: LiveSession, sound: AsyncGenerator[bytes]) -> None:
    async with aclosing(sound):
        async for piece in sound:
            await session.append(piece)


async def _finished(session: LiveSession) -> None:
    """Completes the turn that was not finished when the sound ended."""
    from app.errors import InvalidRequest

    with suppress(InvalidRequest):  # nothing was said since the last turn
        session.commit()
    try:
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            await session.settled()
    except TimeoutError:
        raise CommandError("The last words were not transcribed in time.") from None
