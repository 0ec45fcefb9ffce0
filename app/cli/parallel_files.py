"""Many transcriptions at once: their progress, their failures, and a summary.

Law: one file that fails takes no other one with it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from app.cli.tables import counted, printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Table

Report = Callable[[float, float | None], None]
"""Callback: seconds done, seconds in all (None: unknown)."""
FileWork = Callable[[Report], Coroutine[Any, Any, None]]


class FileBatch:
    """The bars of a command's files: one for all of them, one for each that is worked on."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._whole: TaskID | None = None
        if total > 1:
            self._whole = progress.add_task("all", total=total, count=f"0 of {total}")
        self.failed: list[str] = []
        self._ended = 0

    def note(self, text: str) -> None:
        """Prints a line above the bars."""
        self._progress.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def show(self, table: Table) -> None:
        """Prints a table above the bars."""
        self._progress.console.print(table)

    @contextmanager
    def file(self, name: str) -> Iterator[Report]:
        """A bar for one file while it is worked on."""
        bar = self._progress.add_task(printable(name), total=None, count="")

        def report(done: float, total: float | None) -> None:
            self._progress.update(bar, completed=done, total=total)

        try:
            yield report
        finally:
            self._progress.remove_task(bar)
            self._ended += 1
            if self._whole is not None:
                self._progress.update(
                    self._whole, completed=self._ended, count=f"{self._ended} of {self._total}"
                )

    def fail(self, name: str, sentence: str) -> None:
        self.failed.append(name)
        self.note(f"✗ {name}: {sentence}")


async def run_all(
    batch: FileBatch,
    steps: Sequence[tuple[str, FileWork]],
    jobs: int,
    sentence: Callable[[Exception], str | None],
) -> None:
    """Runs all steps, `jobs` at a time. A failure for which `sentence` has no text is raised at the end."""
    places = asyncio.Semaphore(jobs)

    async def one(name: str, step: FileWork) -> None:
        async with places:
            with batch.file(name) as report:
                try:
                    await step(report)
                except Exception as failure:
                    message = sentence(failure)
                    batch.fail(name, message or f"a fault of Antiphon ({type(failure).__name__})")
                    if message is None:
                        raise

    ended = await asyncio.gather(*(one(name, step) for name, step in steps), return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome


@contextmanager
def bars(total: int) -> Iterator[FileBatch]:
    """Bars on a terminal; elsewhere only what fails, and a summary if there are several files."""
    from rich.progress import TaskProgressColumn, TextColumn

    from app.cli.progress import drawn_bars

    began = time.monotonic()
    columns = TaskProgressColumn(), TextColumn("{task.fields[count]}", markup=False)
    with drawn_bars(*columns, transient=True) as progress:
        batch = FileBatch(progress, total)
        yield batch
    if total > 1:
        good = total - len(batch.failed)
        summary = f"{counted(good, 'file')} transcribed in {time.monotonic() - began:.0f} s"
        if batch.failed:
            names = ", ".join(printable(name) for name in batch.failed)
            summary += f", {len(batch.failed)} failed: {names}"
        print(f"{summary}.", file=sys.stderr)
