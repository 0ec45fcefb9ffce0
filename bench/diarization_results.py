"""Results of diarization for each file and system, kept in a file so that runs can be joined."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.diarization_scores import Turns

COLUMNS = (
    "files",
    "system",
    "DER",
    "with collar",
    "JER",
    "miss / alarm / confusion",
    "speakers",
    "CPU",
    "RTF",
    "MB",
)


@dataclass(frozen=True)
class FileResult:
    """The result of one system for one file."""

    group: str
    system: str
    file: str
    strict: Turns
    collar: Turns
    jer: float
    """Jaccard error rate, in percent."""
    found: int
    """Number of speakers in the result; `true` is the number of speakers in the reference."""
    true: int
    cpu: float
    """Seconds of CPU time that diarization took."""
    wall: float
    audio: float
    """Length of the recording in seconds."""
    memory: float
    """Peak memory of the process until the end of this file, in megabytes above the memory before the
    system was loaded.
    """


class Results:
    """The results of this run and of earlier ones."""

    def __init__(self, path: Path | None) -> None:
        """`path`: the file in which results are kept, one JSON object on each line; None:
        they are not kept.
        """
        self._path = path
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.all = [_read(line) for line in lines]

    def known(self, file: str, system: str) -> bool:
        return any(one.file == file and one.system == system for one in self.all)

    def add(self, result: FileResult) -> None:
        self.all.append(result)
        if self._path:
            with self._path.open("a") as out:
                out.write(json.dumps(asdict(result)) + "\n")

    def report(self) -> Iterable[str]:
        """A table of Markdown: each group and system, then all files together."""
        yield f"| {' | '.join(COLUMNS)} |"
        yield f"|{'---|' * len(COLUMNS)}"
        tables: dict[tuple[str, str], list[FileResult]] = defaultdict(list)
        for one in self.all:
            tables[one.group, one.system].append(one)
            tables["all", one.system].append(one)
        for (group, system), rows in sorted(tables.items(), key=lambda table: table[0][0] == "all"):
            yield f"| {group} | {system} {_row(rows)}"


def _read(line: str) -> FileResult:
    values: dict[str, Any] = json.loads(line)
    turns = {name: Turns(**values[name]) for name in ("strict", "collar")}
    return FileResult(**{**values, **turns})


def _row(rows: Sequence[FileResult]) -> str:
    strict, collar = _sum([row.strict for row in rows]), _sum([row.collar for row in rows])
    parts = (strict.missed, strict.alarm, strict.confused)
    shares = " / ".join(f"{100 * part / strict.total:.1f}" for part in parts)
    counts = " ".join(f"{row.found}/{row.true}" for row in rows)
    audio = sum(row.audio for row in rows)
    cpu, wall = sum(row.cpu for row in rows) / audio, sum(row.wall for row in rows) / audio
    mean_jer, memory = sum(row.jer for row in rows) / len(rows), max(row.memory for row in rows)
    return (
        f"| {strict.rate:.2f} | {collar.rate:.2f} | {mean_jer:.1f} | {shares} | {counts} | "
        f"{cpu:.4f} | {wall:.3f} | {memory:.0f} |"
    )


def _sum(turns: Sequence[Turns]) -> Turns:
    return Turns(
        *(sum(getattr(one, part) for one in turns) for part in ("missed", "alarm", "confused", "total"))
    )
