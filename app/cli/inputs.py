"""Which files are transcribed, and where each transcript goes.

Law: decided before any work; nothing is written here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import typer

from app.cli.output_files import check_folder, check_target

STDIN = "-"
SOUND = frozenset({
    ".3g2", ".3ga", ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi",
    ".awb", ".caf", ".dts", ".eac3", ".f4a", ".f4v", ".flac", ".flv", ".gsm", ".m2ts", ".m4a", ".m4b", ".m4v",
    ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpa", ".mpc", ".mpeg", ".mpg", ".mpga", ".mts", ".mxf",
    ".oga", ".ogg", ".ogm", ".ogv", ".oma", ".opus", ".ra", ".ram", ".rm", ".snd", ".spx", ".tak", ".ts",
    ".tta", ".vob", ".voc", ".w64", ".wav", ".wave", ".webm", ".wma", ".wmv", ".wv",
})  # fmt: skip
"""Endings that are looked for in folders. A file that is named is tried whatever its ending."""


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
class Task:
    """One transcription."""

    source: str
    """A path, or `-`."""
    target: Path | None
    """None: standard output."""
    inside: Path = Path()
    """The folder of the transcript under the folder of `--output`."""

    @property
    def path(self) -> Path:
        return Path("stdin") if self.source == STDIN else Path(self.source)


@dataclass(frozen=True, slots=True)
class Plan:
    """All tasks of one command."""

    tasks: tuple[Task, ...]
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
    tasks, left_out = _tasks(files, several_folders=len(folders) > 1)
    if not tasks:
        skipped = f" ({listed(left_out)} left out)" if left_out else ""
        raise typer.BadParameter(f"There is no audio file among these{skipped}.")
    if len(tasks) == 1 and not folders and not (output and output.is_dir()):
        tasks = [replace(tasks[0], target=output)]
    else:
        _check_output_folder(output)
        tasks = _named_apart([replace(task, target=_beside(task, output, ending)) for task in tasks])
    sources = tuple(Path(task.source) for task in tasks if task.source != STDIN)
    for task in tasks:
        if task.target:
            check_target(task.target, sources=sources)
    return Plan(tuple(tasks), tuple(left_out))


def listed(files: Sequence[Path]) -> str:
    """`2 files: a.txt, b.pdf`."""
    shown = ", ".join(path.name for path in files[:5])
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    return f"{len(files)} file{'' if len(files) == 1 else 's'}: {shown}{more}"


def _tasks(files: Iterable[str], *, several_folders: bool) -> tuple[list[Task], list[Path]]:
    tasks: dict[str, Task] = {}
    left_out: list[Path] = []
    for name in files:
        path = Path(name)
        if name != STDIN and path.is_dir():
            root = Path(path.resolve().name) if several_folders else Path()
            for file in sorted(path.rglob("*")):
                if not file.is_file() or any(part.startswith(".") for part in file.relative_to(path).parts):
                    continue
                if file.suffix.lower() in SOUND:
                    tasks.setdefault(str(file), Task(str(file), None, root / file.relative_to(path).parent))
                elif (
                    file.suffix.lower() not in ENDINGS.values()
                ):  # a transcript that an earlier run has written
                    left_out.append(file)
        elif name == STDIN or path.exists():
            tasks.setdefault(name, Task(name, None))
        else:
            raise typer.BadParameter(f"There is no file {name}.")
    return list(tasks.values()), left_out


def _check_output_folder(output: Path | None) -> None:
    if output is None or output.is_dir():
        return
    if output.exists() or output.suffix.lower() in ENDINGS.values():
        raise typer.BadParameter(
            f"Several transcripts need a folder, and {output} is a file.", param_hint="--output"
        )
    check_folder(output)


def _beside(task: Task, output: Path | None, ending: str) -> Path:
    folder = output / task.inside if output else task.path.parent
    return folder / (task.path.stem + ending)


def _named_apart(tasks: list[Task]) -> list[Task]:
    """Inputs that differ in their ending only keep it: talk.mp3.srt and talk.mp4.srt."""
    shared = Counter(task.target for task in tasks)
    apart = [
        replace(task, target=task.target.with_name(task.path.name + task.target.suffix))
        if task.target and shared[task.target] > 1
        else task
        for task in tasks
    ]
    taken: dict[Path | None, str] = {}
    for task in apart:
        if task.target in taken:
            raise typer.BadParameter(
                f"{taken[task.target]} and {task.source} would both become {task.target}. Use one command "
                "for each."
            )
        taken[task.target] = task.source
    return apart
