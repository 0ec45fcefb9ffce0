"""`antiphon speak`: speaks text by the same service as the server, but in this process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Config, complete_speech_model, complete_voice, number

if TYPE_CHECKING:
    from app.container import Container
    from app.domain import SpeechJob


class SpeechFormat(StrEnum):
    """File formats."""

    mp3 = "mp3"
    opus = "opus"
    aac = "aac"
    flac = "flac"
    wav = "wav"
    pcm = "pcm"


SPEECH_ENDINGS = {".ogg": SpeechFormat.opus, ".oga": SpeechFormat.opus, ".raw": SpeechFormat.pcm} | {
    f".{f}": f for f in SpeechFormat
}


Text = Annotated[
    str, typer.Argument(metavar="TEXT", help="Text to speak, or - to read it from standard input.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="File to write; its ending says the format. Default: standard output.",
    ),
]
VoiceName = Annotated[
    str,
    typer.Option(
        metavar="NAME", autocompletion=complete_voice, help="A name that `antiphon voices list` shows."
    ),
]
Model = Annotated[
    str, typer.Option(metavar="NAME", autocompletion=complete_speech_model, help="Speech model.")
]
FormatOption = Annotated[
    SpeechFormat | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="mp3, opus, aac, flac, wav or pcm; default: by the ending, else mp3.",
    ),
]
Speed = Annotated[
    float,
    typer.Option(
        metavar="X", min=0.25, max=4.0, callback=number, help="Speed; 2 is twice as fast, at the same pitch."
    ),
]
Instructions = Annotated[str, typer.Option(metavar="TEXT", help="How to speak, in plain words.")]


def speak(
    text: Text,
    output: Output = None,
    voice: VoiceName = "alloy",
    model: Model = "tts-1",
    form: FormatOption = None,
    speed: Speed = 1.0,
    instructions: Instructions = "",
    config: Config = None,
) -> None:
    """Speak text into a file or to standard output.

    Examples:
        antiphon speak "Good morning." -o morning.mp3
        antiphon speak --voice cedar -f wav - < chapter.txt > chapter.wav
    """
    from app.cli.output_files import check_target, stdin_text
    from app.cli.without_server import run_locally
    from app.domain import SpeechJob
    from app.settings.load import load_settings

    logging.getLogger("app").setLevel(logging.ERROR)
    target_format = _format(output, form)
    if output:
        check_target(output)
    elif sys.stdout.isatty():
        raise typer.BadParameter("A terminal cannot take sound: give -o FILE, or redirect the output.")
    spoken = stdin_text() if text == "-" else text
    if not spoken.strip():
        raise typer.BadParameter("The text is empty.")
    job = SpeechJob(model, spoken, voice, speed, instructions)
    run_locally(load_settings(config), lambda container: _speak(container, job, target_format, output))


def _format(output: Path | None, named: SpeechFormat | None) -> SpeechFormat:
    """What `--format` or the ending of the file says. Raises `typer.BadParameter` where they disagree."""
    by_ending = SPEECH_ENDINGS.get(output.suffix.lower()) if output else None
    if named and by_ending and named is not by_ending:
        raise typer.BadParameter(f"{output} ends like {by_ending}, but --format says {named}.")
    if output and not (named or by_ending):
        raise typer.BadParameter(
            f"The ending of {output} is no format; use one of {', '.join(SPEECH_ENDINGS)}."
        )
    return named or by_ending or SpeechFormat.mp3


async def _speak(container: Container, job: SpeechJob, form: SpeechFormat, output: Path | None) -> None:
    from app.cli.output_files import make_folder, write_output

    await _check_voice(container, job)
    parts: list[bytes] = []
    with _bar(output.name if output else "standard output", len(job.text)) as report:
        opened = await container.speech.open(job, form.value, whole=output is not None)
        async with aclosing(opened), aclosing(opened.chunks()) as chunks:
            async for data in chunks:
                if output:
                    parts.append(data)
                else:
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                report(opened.spoken)
    if output:
        make_folder(output.parent)
        write_output(output, b"".join(parts))
    if opened.ignored:
        print(f"antiphon: this voice does not follow: {', '.join(opened.ignored)}.", file=sys.stderr)


async def _check_voice(container: Container, job: SpeechJob) -> None:
    """A name that is not an installed voice can only be a custom voice, which needs the database.

    Raises `ApiError` or `DatabaseError`.
    """
    from app.errors import InvalidValue
    from app.store.schema_check import check_schema, revision_of

    try:
        container.voices.choose(job.model, job.voice)
    except InvalidValue:
        if await revision_of(container.database) is None:
            raise
        await check_schema(container.database)


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar, on a terminal only; yields a callback that takes the characters spoken so far."""
    from rich.progress import TaskProgressColumn

    from app.cli.progress import drawn_bars

    with drawn_bars(TaskProgressColumn(), transient=True) as progress:
        bar = progress.add_task(name, total=total)
        yield lambda done: progress.update(bar, completed=min(done, total))
