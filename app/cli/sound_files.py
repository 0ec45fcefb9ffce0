"""Which files are transcribed: those that are named, and those in folders whose ending is one of sound.

Law: looks at names only; no file is opened here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

STDIN = "-"
SOUND_ENDINGS = frozenset({
    ".3g2", ".3ga", ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi",
    ".awb", ".caf", ".dts", ".eac3", ".f4a", ".f4v", ".flac", ".flv", ".gsm", ".m2ts", ".m4a", ".m4b", ".m4v",
    ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpa", ".mpc", ".mpeg", ".mpg", ".mpga", ".mts", ".mxf",
    ".oga", ".ogg", ".ogm", ".ogv", ".oma", ".opus", ".ra", ".ram", ".rm", ".snd", ".spx", ".tak", ".ts",
    ".tta", ".vob", ".voc", ".w64", ".wav", ".wave", ".webm", ".wma", ".wmv", ".wv",
})  # fmt: skip
"""Endings of the files that are taken from folders. A file that is named itself is tried whatever its ending
is.
"""


@dataclass(frozen=True, slots=True)
class SoundFile:
    """One file to transcribe."""

    source: str
    """A path, or `-`."""
    inside: Path = Path()
    """The sub-folder of `--output` for its transcript."""

    @property
    def path(self) -> Path:
        return Path("stdin") if self.source == STDIN else Path(self.source)


def sound_files(
    names: Iterable[str], *, several_folders: bool, passed: Collection[str]
) -> tuple[list[SoundFile], list[Path]]:
    """The files to transcribe, and the files of folders that are left out. Raises `typer.BadParameter`.

    `passed`: endings of transcripts. An earlier run has written such files, so they are not told of.
    """
    sounds: dict[str, SoundFile] = {}
    left_out: list[Path] = []
    for name in names:
        path = Path(name)
        if name != STDIN and path.is_dir():
            root = Path(path.resolve().name) if several_folders else Path()
            for file in sorted(path.rglob("*")):
                if not file.is_file() or any(part.startswith(".") for part in file.relative_to(path).parts):
                    continue
                if file.suffix.lower() in SOUND_ENDINGS:
                    sounds.setdefault(str(file), SoundFile(str(file), root / file.relative_to(path).parent))
                elif file.suffix.lower() not in passed:
                    left_out.append(file)
        elif name == STDIN or path.exists():
            sounds.setdefault(name, SoundFile(name))
        else:
            raise typer.BadParameter(f"There is no file {name}.")
    return list(sounds.values()), left_out


def listed(files: Sequence[Path]) -> str:
    """The number of files and the first names, such as `2 files: a.txt, b.pdf`."""
    shown = ", ".join(path.name for path in files[:5])
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    return f"{len(files)} file{'' if len(files) == 1 else 's'}: {shown}{more}"
