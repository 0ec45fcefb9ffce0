"""`antiphon transcribe`: transcribes files by the same services as the server, but in this process."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

from app.cli.failures import tell
from app.cli.options import Config, Prompt, complete_transcription_model
from app.cli.parallel_files import FileBatch, FileWork, Report
from app.cli.sound_files import STDIN, listed
from app.cli.transcript_files import ENDINGS, FileTask, Plan, TranscriptFormat, format_of, plan

if TYPE_CHECKING:
    from app.container import Container
    from app.domain import TranscriptionJob
    from app.settings import Settings


WITH_WORDS = (TranscriptFormat.srt, TranscriptFormat.vtt, TranscriptFormat.verbose_json)
"""Formats that need the times of words."""
Files = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Files, folders, or - for standard input.")
]
FormatOption = Annotated[
    TranscriptFormat | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="text, json, srt, vtt, verbose_json or diarized_json; default: what the ending of --output "
        "says, else text.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="A file for one input; a folder for several or for a folder. Default: standard output for one "
        "file, else beside each file.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        autocompletion=complete_transcription_model,
        help="Model name, or folder of a CTranslate2 model.",
    ),
]
Language = Annotated[
    str, typer.Option(metavar="TAG", help="Language of the speech, such as en; default: detected.")
]
Translate = Annotated[bool, typer.Option("--translate", help="Write English, whatever is spoken.")]
Vad = Annotated[bool, typer.Option(help="Leave out stretches without speech.", show_default=False)]
Beams = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=20, help="Beams of the search; default: the settings'."),
]
Diarize = Annotated[bool, typer.Option("--diarize", help="Tell who speaks.")]
Speaker = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FILE", help="A known speaker and a clip of 2 to 10 seconds; up to four times."
    ),
]
Speakers = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=50, help="Number of speakers; default: detected.")
]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", metavar="N", min=1, max=64, help="Files that are worked on at once.")
]


def transcribe(
    files: Files,
    form: FormatOption = None,
    output: Output = None,
    model: Model = "whisper-1",
    language: Language = "",
    translate: Translate = False,
    prompt: Prompt = "",
    vad: Vad = True,
    beam_size: Beams = None,
    diarize: Diarize = False,
    speaker: Speaker = None,
    speakers: Speakers = None,
    jobs: Jobs = 2,
    config: Config = None,
) -> None:
    """Transcribe files here, without a server.

    Folders keep their sub-folders under --output.

    Examples:
        antiphon transcribe talk.mp3
        antiphon transcribe talk.mp3 -o talk.srt
        antiphon transcribe --format srt -o subtitles/ recordings/
        ffmpeg -i film.mkv -f wav - | antiphon transcribe --language de -
        antiphon transcribe --diarize --speaker Anna=anna.wav meeting.m4a
    """
    from app.cli.speakers import speaker_options
    from app.cli.without_server import run_locally

    logging.getLogger("app").setLevel(logging.ERROR)  # failures are printed once, beside their file
    form = format_of(output, form)
    who = None
    if diarize or speaker or speakers is not None or form is TranscriptFormat.diarized_json:
        who = speaker_options(speaker or (), speakers, form, translate=translate)
    work = plan(files, output, ENDINGS[form])
    job = _job(model=model, language=language, translate=translate, prompt=prompt, vad=vad)
    job = replace(job, words=form in WITH_WORDS, beam_size=beam_size, diarize=who)
    if run_locally(_settings(config, model), partial(_run, work=work, job=job, form=form, jobs=jobs)):
        raise typer.Exit(1)


def _job(*, model: str, language: str, translate: bool, prompt: str, vad: bool) -> TranscriptionJob:
    """The transcription job that is run for each file. Raises `typer.BadParameter` for a language that
    Whisper does not know.
    """
    from app.domain import TranscriptionJob, VadOptions
    from app.wire.languages import language_code

    code = language_code(language) if language else None
    if language and not code:
        raise typer.BadParameter(f"{language!r} is no language that Whisper knows.", param_hint="--language")
    return TranscriptionJob(
        model=model,
        task="translate" if translate else "transcribe",
        language=code,
        prompt=prompt,
        vad=VadOptions() if vad else None,
    )


def _settings(config: Path | None, model: str) -> Settings:
    """The settings. If `model` is the path of a folder, that path is a name of the model in it."""
    from app.settings.load import load_settings

    settings = load_settings(config)
    if not Path(model).is_dir():
        return settings
    aliases = settings.models.aliases | {model: str(Path(model).absolute())}
    return settings.model_copy(update={"models": settings.models.model_copy(update={"aliases": aliases})})


async def _run(
    container: Container, work: Plan, job: TranscriptionJob, form: TranscriptFormat, jobs: int
) -> int:
    """Transcribes all files. Returns how many of them failed."""
    from app.cli.failures import sentence_of
    from app.cli.parallel_files import bars, run_all
    from app.cli.without_server import explained
    from app.errors import ApiError

    def sentence(failure: Exception) -> str | None:
        if isinstance(failure, ApiError):
            return explained(failure, container.settings)
        return sentence_of(failure)

    if work.left_out:
        tell(f"Left out, since the endings are those of no sound: {listed(work.left_out)}.")
    with bars(len(work.tasks)) as batch:
        loading = asyncio.create_task(_tell_loading(container, job.model, batch))
        try:
            steps = [(task.sound.source, _step(container, task, job, form, batch)) for task in work.tasks]
            await run_all(batch, steps, jobs, sentence)
        finally:
            loading.cancel()
        return len(batch.failed)


async def _tell_loading(container: Container, model: str, batch: FileBatch) -> None:
    """Prints that the model is being loaded, if that takes longer than a second."""
    await asyncio.sleep(1)
    if container.services.models.state(model) == "loading":
        batch.note(f"loading {model} ...")


def _step(
    container: Container, task: FileTask, job: TranscriptionJob, form: TranscriptFormat, batch: FileBatch
) -> FileWork:
    async def step(report: Report) -> None:
        from app.wire.transcripts import render

        with _opened(task.sound.source) as file:
            transcript = await container.transcription.transcribe(job, file, report)
        cues = container.request_rules.cues
        await asyncio.to_thread(
            lambda: _write(render(transcript, form, job.model, ("word", "segment"), cues), task.target)
        )
        if transcript.spoken:
            from app.cli.speakers import shares

            batch.show(shares(transcript, Path(task.sound.source).name))

    return step


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    """A seekable file that is not empty; standard input is spooled. Raises `CommandError` or `OSError`."""
    import shutil
    import tempfile

    from app.cli.failures import CommandError

    if source != STDIN:
        with Path(source).open("rb") as file:
            if not file.read(1):
                raise CommandError("The file is empty.")
            file.seek(0)
            yield file
        return
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        if not spooled.tell():
            raise CommandError("Standard input is empty.")
        spooled.seek(0)
        yield cast("BinaryIO", spooled)


def _write(data: bytes, target: Path | None) -> None:
    from app.cli.output_files import write_output

    if target:
        write_output(target, data)
        return
    sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
    sys.stdout.buffer.flush()
