"""`antiphon speak`: the same service as the server's, without a server."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.container import Container
    from app.domain import SpeechJob


class Format(StrEnum):
    """File formats."""

    mp3 = "mp3"
    opus = "opus"
    aac = "aac"
    flac = "flac"
    wav = "wav"
    pcm = "pcm"


ENDINGS = {".ogg": Format.opus, ".oga": Format.opus, ".raw": Format.pcm} | {f".{f}": f for f in Format}


def speak(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say, or - to read it from stdin.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; its ending says the format.")
    ] = None,
    voice: Annotated[str, typer.Option(help="A name that `antiphon voices list` shows.")] = "alloy",
    model: Annotated[str, typer.Option(help="Speech model.")] = "tts-1",
    form: Annotated[Format | None, typer.Option("--format", "-f", help="Format.")] = None,
    speed: Annotated[float, typer.Option(min=0.25, max=4.0, help="2 is twice as fast.")] = 1.0,
    instructions: Annotated[str, typer.Option(help="How to speak, in plain words.")] = "",
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
) -> None:
    """Speak text into a file, or to standard output as it is made.

    Examples:
        antiphon speak "Good morning." -o morning.mp3

        antiphon speak --voice cedar -f wav - < chapter.txt > chapter.wav
    """
    from app.container import Container
    from app.domain import SpeechJob
    from app.settings.source import load_settings

    logging.getLogger("app").setLevel(logging.ERROR)
    said = sys.stdin.read() if text == "-" else text
    chosen = form or (ENDINGS.get(output.suffix.lower()) if output else Format.mp3)
    if chosen is None:
        raise typer.BadParameter(f"The ending of {output} is no format: use one of {', '.join(Format)}.")
    if output is None and sys.stdout.isatty():
        raise typer.BadParameter("Sound is not for a terminal: give -o FILE, or redirect the output.")
    job = SpeechJob(model, said, voice, speed, instructions)
    asyncio.run(_run(Container(load_settings(config)), job, chosen, output))


async def _run(container: Container, job: SpeechJob, form: Format, output: Path | None) -> None:
    try:
        await _speak(container, job, form, output)
    finally:
        await container.close()


async def _speak(container: Container, job: SpeechJob, form: Format, output: Path | None) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from app.models.files import write_atomically

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(output.name if output else "stdout", total=len(job.text))
        opened = await container.speech.open(job, form.value, whole=output is not None)
        parts: list[bytes] = []
        async with aclosing(opened), aclosing(opened.chunks()) as chunks:
            async for data in chunks:
                if output:
                    parts.append(data)
                else:
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                progress.update(bar, completed=min(opened.spoken, len(job.text)))
        progress.update(bar, completed=len(job.text))
    if output:
        write_atomically(output, b"".join(parts))
    if opened.ignored:
        print(f"antiphon: not honoured: {', '.join(opened.ignored)}", file=sys.stderr)
