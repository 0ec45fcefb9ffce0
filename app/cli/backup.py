"""`antiphon backup` and `antiphon restore`: the database as one file, whatever kind it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.options import Config

if TYPE_CHECKING:
    from app.settings import Settings
    from app.store.backup_file import BackupSummary

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


def backup(file: BackupFile, config: Config = None) -> None:
    """Write the database into one file.

    Keys, voices, consents, use, audit: everything but the weights, whose names are in
    the file. The server may run meanwhile. An existing file is never overwritten, and
    the new one is read back before it gets its name. Keep it secret: it holds recordings.

    Example:
        antiphon backup antiphon-2027-01-31.backup
    """
    from app.settings.load import load_settings
    from app.store.backup import back_up

    settings = load_settings(config)
    summary = back_up(settings.database_url, file, _weights(settings))
    sys.stdout.write(f"{file}: {_told(summary)}\n")


def restore(file: BackupFile, config: Config = None) -> None:
    """Put a backup into an empty database.

    All or nothing, and only where no rows are. The backup may come from the other kind
    of database: so it moves from SQLite to PostgreSQL. Then it names the weights that
    are missing here.

    Example:
        antiphon restore antiphon-2027-01-31.backup
    """
    from app.settings.load import load_settings
    from app.store.backup import restore as run
    from app.store.backup_file import read_summary
    from app.store.migrations import upgrade_if_needed

    settings = load_settings(config)
    read_summary(file)
    upgrade_if_needed(settings.database_url)
    summary = run(settings.database_url, file)
    sys.stdout.write(f"Restored from {file}: {_told(summary)}\n")
    missing = sorted(set(summary.head.weights) - set(_weights(settings)))
    if missing:
        sys.stdout.write(
            f"These weights are not here: {', '.join(missing)}. To fetch them: antiphon models pull "
            f"{' '.join(missing)}\n"
        )


def _told(summary: BackupSummary) -> str:
    from app.cli.tables import counted
    from app.cli.times import shown

    rows = ", ".join(f"{name} {count}" for name, count in summary.rows.items() if count)
    total = counted(sum(summary.rows.values()), "row")
    when = shown(summary.head.made)
    return f"{total} of revision {summary.head.revision}, {when} UTC" + (f" ({rows})." if rows else ".")


def _weights(settings: Settings) -> list[str]:
    """The models whose weights are in the weights folder."""
    folder = settings.weights_folder
    if not folder.is_dir():
        return []
    found = (path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(name.replace("--", "/") for name in found)
