"""Progress bars on standard error. Law: bars are drawn on a terminal only, never into a file or a pipe."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

SMALL_BYTES = 5_000_000
"""Files with fewer bytes share one progress bar."""


@contextmanager
def drawn_bars(*columns: ProgressColumn, transient: bool = False) -> Iterator[Progress]:
    """Bars with a name, `columns` and the time left. `transient`: they vanish at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    name = TextColumn("{task.description}", markup=False)
    console = Console(stderr=True, markup=False, highlight=False)
    with Progress(
        name,
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=transient,
    ) as progress:
        yield progress


@contextmanager
def fetch_report() -> Iterator[Callable[[str, int, int], None]]:
    """A report for the weights store: a bar for each large file and one for all the small ones.

    Where standard error is no terminal: a line for each large file, when its first bytes are there.
    """
    with ExitStack() as stack:
        bars: dict[str, TaskID] = {}
        small: dict[str, tuple[int, int]] = {}
        shown: list[Progress] = []
        lock = threading.Lock()

        def report(name: str, done: int, total: int) -> None:
            with lock:  # files are fetched in parallel
                if not shown:  # nothing is drawn or imported where nothing is fetched
                    from rich.progress import DownloadColumn

                    shown.append(stack.enter_context(drawn_bars(DownloadColumn())))
                if total < SMALL_BYTES:
                    small[name] = (done, total)
                    name = "small files"
                    done, total = (sum(values) for values in zip(*small.values(), strict=True))
                if name not in bars:
                    if total >= SMALL_BYTES and not sys.stderr.isatty():
                        print(f"{name}: {total / 1e6:,.1f} MB", file=sys.stderr)
                    bars[name] = shown[0].add_task(name, total=total)
            shown[0].update(bars[name], completed=done, total=total)

        yield report
