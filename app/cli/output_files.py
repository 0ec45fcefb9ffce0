"""The files that a command writes: their names are checked before any work begins, and a file is written
whole or not at all.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer


def check_target(target: Path, *, sources: tuple[Path, ...] = ()) -> None:
    """Whether a file can be written there. Raises `typer.BadParameter`.

    `sources`: files that must not be overwritten, because they are read.
    """
    if target.is_dir():
        raise typer.BadParameter(f"{target} is a folder; name a file in it.", param_hint="--output")
    if any(target.exists() and source.exists() and target.samefile(source) for source in sources):
        raise typer.BadParameter(
            f"{target} is also an input and would be overwritten.", param_hint="--output"
        )
    check_folder(target.parent)
    if target.exists() and not os.access(target, os.W_OK):
        raise typer.BadParameter(f"{target} cannot be written.", param_hint="--output")


def check_folder(folder: Path) -> None:
    """Whether files can be written into a folder, which need not exist yet. Raises `typer.BadParameter`."""
    near = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not near.is_dir():
        raise typer.BadParameter(f"{near} is a file, so no folder can be there.", param_hint="--output")
    if not os.access(near, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{near} cannot be written.", param_hint="--output")


def check_plain(target: Path) -> None:
    """Whether a file may take this place: as root, it could replace a device. Raises `typer.BadParameter`."""
    if target.exists() and not target.is_file():
        raise typer.BadParameter(f"{target} is a device or a pipe; name a file.", param_hint="--output")


def write_output(target: Path, data: bytes) -> None:
    """Writes all of the bytes or none of them. A device, a pipe and a link stay what they are."""
    from app.models.durable_files import write_atomically

    if target.exists() and not target.is_file():
        target.write_bytes(data)
    else:
        write_atomically(target.resolve(), data)


def make_folder(folder: Path) -> None:
    """Makes a folder and says so where it did not exist."""
    if not folder.exists():
        folder.mkdir(parents=True)
        print(f"antiphon: the folder {folder} did not exist and is made.", file=sys.stderr)


def stdin_text() -> str:
    """All of standard input as text. Raises `typer.BadParameter`."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter("Standard input is not UTF-8 text.") from None
