"""Where each transcript goes, and in which format.

Law: decided before any work; nothing is written here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import typer

from app.cli.output_files import check_folder, check_target
from app.cli.sound_files import STDIN, SoundFile, listed, sound_files


class TranscriptFormat(StrEnum):
    """Output formats."""

    text = "text"
    json = "json"
    srt = "srt"
    vtt = "vtt"
    verbose_json = "verbose_json"
    diarized_json = "diarized_json"


ENDINGS = {
    TranscriptFormat.text: ".txt",
    TranscriptFormat.srt: ".srt",
    TranscriptFormat.vtt: ".vtt",
    TranscriptFormat.json: ".json",
    TranscriptFormat.verbose_json: ".json",
    TranscriptFormat.diarized_json: ".json",
}


@dataclass(frozen=True, slots=True)
class FileTask:
    """One file to transcribe, and the file for its transcript."""

    sound: SoundFile
    target: Path | None
    """The file to write; None for standard output."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All tasks of one command."""

    tasks: tuple[FileTask, ...]
    left_out: tuple[Path, ...]
    """Files in folders that are skipped, because their ending is not one of an audio or video format."""


def format_of(output: Path | None, named: TranscriptFormat | None) -> TranscriptFormat:
    """The output format: that of `--format`, else the one of the ending of `--output`.

    Raises `typer.BadParameter` where the two disagree.
    """
    ending = output.suffix.lower() if output and not output.is_dir() else ""
    by_ending = [form for form, known in ENDINGS.items() if known == ending]
    if named is None:
        if ending and not by_ending:
            known = ", ".join(dict.fromkeys(ENDINGS.values()))
            raise typer.BadParameter(
                f"The ending of {output} is no format; use {known}, or name the format with --format."
            )
        return by_ending[0] if by_ending else TranscriptFormat.text
    if by_ending and named not in by_ending:
        raise typer.BadParameter(f"{output} ends like {by_ending[0]}, but --format says {named}.")
    return named


def plan(files: Sequence[str], output: Path | None, ending: str) -> Plan:
    """The transcript file for each input. Raises `typer.BadParameter`."""
    folders = [Path(name) for name in files if name != STDIN and Path(name).is_dir()]
    sounds, left_out = sound_files(files, several_folders=len(folders) > 1, passed=set(ENDINGS.values()))
    tasks = [FileTask(sound, None) for sound in sounds]
    if not tasks:
        skipped = f" ({listed(left_out)} left out)" if left_out else ""
        raise typer.BadParameter(f"There is no audio file among these{skipped}.")
    if len(tasks) == 1 and not folders and not (output and output.is_dir()):
        tasks = [replace(tasks[0], target=output)]
    else:
        _check_output_folder(output)
        tasks = _named_apart([replace(task, target=_beside(task, output, ending)) for task in tasks])
    sources = tuple(Path(task.sound.source) for task in tasks if task.sound.source != STDIN)
    for task in tasks:
        if task.target:
            check_target(task.target, sources=sources)
    return Plan(tuple(tasks), tuple(left_out))


def _check_output_folder(output: Path | None) -> None:
    if output is None or output.is_dir():
        return
    if output.exists() or output.suffix.lower() in ENDINGS.values():
        raise typer.BadParameter(
            f"Several transcripts need a folder, and {output} is a file.", param_hint="--output"
        )
    check_folder(output)


def _beside(task: FileTask, output: Path | None, ending: str) -> Path:
    folder = output / task.sound.inside if output else task.sound.path.parent
    return folder / (task.sound.path.stem + ending)


def _named_apart(tasks: list[FileTask]) -> list[FileTask]:
    """Inputs that differ in their ending only keep it: talk.mp3.srt and talk.mp4.srt."""
    shared = Counter(task.target for task in tasks)
    apart = [
        replace(task, target=task.target.with_name(task.sound.path.name + task.target.suffix))
        if task.target and shared[task.target] > 1
        else task
        for task in tasks
    ]
    taken: dict[Path | None, str] = {}
    for task in apart:
        if task.target in taken:
            raise typer.BadParameter(
                f"{taken[task.target]} and {task.sound.source} would both become {task.target}. Use one "
                "command for each."
            )
        taken[task.target] = task.sound.source
    return apart
