"""Speakers at the command line: the option for known speakers, and the table of how long each one spoke."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from app.domain import SpeakerRequest, Transcript

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
BAR_WIDTH = 24
"""Characters of the bar of a speaker who speaks all the time."""


def speaker_options(
    clips: Sequence[str], speakers: int | None, form: str, *, translate: bool
) -> SpeakerRequest:
    """The values of `--speaker NAME=FILE` and `--speakers`. Raises `typer.BadParameter`."""
    from app.domain import SpeakerReference, SpeakerRequest
    from app.wire.diarization_request import SPEAKER_FORMATS
    from app.wire.request_fields import MOST_KNOWN_SPEAKERS

    if form not in SPEAKER_FORMATS:
        raise typer.BadParameter(f"{form} cannot say who speaks; choose one of {', '.join(SPEAKER_FORMATS)}.")
    if translate:
        raise typer.BadParameter("A translation does not say who speaks.")
    if len(clips) > MOST_KNOWN_SPEAKERS:
        raise typer.BadParameter(f"--speaker can be given {MOST_KNOWN_SPEAKERS} times at most.")
    references = []
    for clip in clips:
        name, _, file = clip.partition("=")
        if not name.strip() or not file:
            raise typer.BadParameter(f"--speaker {clip}: write NAME=FILE.")
        if not Path(file).is_file():
            raise typer.BadParameter(f"--speaker {clip}: there is no file {file}.")
        references.append(SpeakerReference(name.strip(), Path(file).read_bytes()))
    if len({reference.name for reference in references}) < len(references):
        raise typer.BadParameter("--speaker: the same name is given twice.")
    return SpeakerRequest(speakers=speakers, references=tuple(references))


def shares(transcript: Transcript, title: str) -> Table:
    """A row for each speaker: seconds of speech, share of all speech, number of segments."""
    from rich.markup import escape
    from rich.table import Table

    from app.cli.tables import printable

    seconds: dict[str, float] = {}
    turns: dict[str, int] = {}
    for segment in transcript.spoken or ():
        seconds[segment.speaker] = seconds.get(segment.speaker, 0.0) + segment.end - segment.start
        turns[segment.speaker] = turns.get(segment.speaker, 0) + 1
    whole = sum(seconds.values()) or 1.0
    table = Table(
        "speaker", "time", "share", "", "segments", title=escape(printable(title)), title_justify="left"
    )
    table.columns[0].overflow = "fold"
    for number, (name, time) in enumerate(seconds.items()):
        bar = "█" * max(1, round(BAR_WIDTH * time / whole))
        row = (escape(printable(name)), f"{time:.1f} s", f"{100 * time / whole:.0f} %", bar, str(turns[name]))
        table.add_row(*row, style=COLOURS[number % len(COLOURS)])
    return table
