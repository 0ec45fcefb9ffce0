"""`antiphon transcribe`: the same services as the server's, without a server."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from app.container import Container
    from app.domain import TranscriptionJob
    from app.settings import Settings
    from app.wire.requests import RequestRules

SOUND = {
    ".aac", ".aif", ".aiff", ".amr", ".flac", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp3", ".mp4",
    ".mpeg", ".mpga", ".oga", ".ogg", ".opus", ".wav", ".webm", ".wma",
}  # fmt: skip
"""Endings that are looked for in folders; a file that is named is tried whatever its ending."""


class Format(StrEnum):
    """Output formats."""

    json = "json"
    text = "text"
    srt = "srt"
    vtt = "vtt"
    verbose_json = "verbose_json"
    diarized_json = "diarized_json"


ENDINGS = {Format.json: ".json", Format.text: ".txt", Format.srt: ".srt", Format.vtt: ".vtt"}


@dataclass(frozen=True, slots=True)
class _Task:
    source: str
    """A path, or `-`."""
    target: Path | None
    """None: standard output."""


def transcribe(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files, folders, or - for stdin.")],
    form: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.text,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for one input, folder for several (default: beside each)."),
    ] = None,
    model: Annotated[str, typer.Option(help="Model name, or folder of a CTranslate2 model.")] = "whisper-1",
    language: Annotated[str, typer.Option(help="Language of the speech, such as en; default: found.")] = "",
    translate: Annotated[bool, typer.Option("--translate", help="Write English instead.")] = False,
    prompt: Annotated[str, typer.Option(help="Text that the speech is assumed to follow.")] = "",
    vad: Annotated[bool, typer.Option(help="Leave out stretches without speech.")] = True,
    beam_size: Annotated[
        int | None, typer.Option(min=1, max=20, help="Beams of the search.", show_default="as set")
    ] = None,
    diarize: Annotated[bool, typer.Option("--diarize", help="Say who speaks.")] = False,
    speaker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE", help="A known speaker and a clip of 2 to 10 seconds; again for more."
        ),
    ] = None,
    speakers: Annotated[
        int | None, typer.Option(min=1, max=50, help="How many speakers there are; default: found.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Files at the same time.")] = 2,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
) -> None:
    """Transcribe files here, without a server.

    Examples:
        antiphon transcribe talk.mp3

        antiphon transcribe --format srt -o subtitles/ recordings/

        ffmpeg -i film.mkv -f wav - | antiphon transcribe --language de -

        antiphon transcribe --diarize --speaker Anna=anna.wav meeting.m4a
    """
    from app.cli.speakers import wanted as speakers_wanted
    from app.container import Container
    from app.domain import TranscriptionJob, VadOptions
    from app.errors import InvalidValue
    from app.wire.languages import language_code

    asked = diarize or bool(speaker) or speakers is not None or form is Format.diarized_json
    who = speakers_wanted(speaker or (), speakers, form, translate=translate) if asked else None
    logging.getLogger("app").setLevel(logging.ERROR)  # what goes wrong is told once, beside its file
    code = language_code(language) if language else None
    if language and not code:
        raise InvalidValue(f"'{language}' is no language that Whisper knows.")
    job = TranscriptionJob(
        model=model,
        task="translate" if translate else "transcribe",
        language=code,
        prompt=prompt,
        beam_size=beam_size,
        vad=VadOptions() if vad else None,
        words=form in (Format.srt, Format.vtt, Format.verbose_json),
        diarize=who,
    )
    tasks = _plan(files, output, ENDINGS.get(form, ".json"))
    failed = asyncio.run(_run(Container(_settings(config, model)), tasks, job, form, jobs))
    if failed:
        raise typer.Exit(1)


def _settings(config: Path | None, model: str) -> Settings:
    """With the folder that `model` may be as a model of that name."""
    from app.settings.source import load_settings

    settings = load_settings(config)
    if not Path(model).is_dir():
        return settings
    aliases = settings.models.aliases | {model: str(Path(model).absolute())}
    return settings.model_copy(update={"models": settings.models.model_copy(update={"aliases": aliases})})


def _plan(files: Iterable[str], output: Path | None, ending: str) -> list[_Task]:
    """Which file becomes which. Raises `typer.BadParameter`."""
    sources = list(_sources(files))
    if not sources:
        raise typer.BadParameter("There is no audio file among these.")
    if len(sources) == 1 and not (output and output.is_dir()):
        return [_Task(sources[0], output)]
    tasks = []
    for source in sources:
        path = Path("stdin") if source == "-" else Path(source)
        tasks.append(_Task(source, (output or path.parent) / (path.stem + ending)))
    if len({task.target for task in tasks}) < len(tasks):
        raise typer.BadParameter("Two inputs would be written to one file; do them one after the other.")
    return tasks


def _sources(files: Iterable[str]) -> Iterator[str]:
    for name in files:
        path = Path(name)
        if name != "-" and path.is_dir():
            yield from (str(p) for p in sorted(path.rglob("*")) if p.suffix.lower() in SOUND and p.is_file())
        elif name == "-" or path.is_file():
            yield name
        else:
            raise typer.BadParameter(f"There is no file {name}.")


async def _run(
    container: Container, tasks: list[_Task], job: TranscriptionJob, form: Format, jobs: int
) -> int:
    """Does all tasks; gives the number of those that failed."""
    places = asyncio.Semaphore(jobs)
    try:
        with _bars() as progress:
            done = await asyncio.gather(
                *(_one(container, task, job, form, progress, places) for task in tasks)
            )
    finally:
        await container.close()
    return done.count(False)


async def _one(
    container: Container,
    task: _Task,
    job: TranscriptionJob,
    form: Format,
    progress: Progress,
    places: asyncio.Semaphore,
) -> bool:
    from app.errors import ApiError

    async with places:
        bar = progress.add_task(task.source, total=None)

        def report(done: float, expected: float | None) -> None:
            progress.update(bar, completed=done, total=expected)

        try:
            with _opened(task.source) as file:
                transcript = await container.transcription.transcribe(job, file, report)
        except ApiError as wrong:
            progress.console.print(f"{task.source}: {wrong.message}", style="red", markup=False)
            return False
        progress.update(bar, completed=transcript.duration, total=transcript.duration)
        from app.wire.transcripts import render

        rules: RequestRules = container.request_rules
        _write(render(transcript, form, job.model, ("word", "segment"), rules.cues), task.target)
        if transcript.spoken:
            from app.cli.speakers import shares

            progress.console.print(shares(transcript, Path(task.source).name))
        return True


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """A seekable file; standard input is spooled."""
    import shutil
    import tempfile

    if source != "-":
        with Path(source).open("rb") as file:
            yield file
        return
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        yield cast("BinaryIO", spooled)


def _write(data: bytes, target: Path | None) -> None:
    from app.models.files import write_atomically

    if target:
        write_atomically(target, data)
        return
    sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress
