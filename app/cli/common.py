"""What commands share: settings, sentences for failures, progress bars on standard error."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SMALL = 5_000_000
"""Bytes of a file that shares its bar with others."""
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def exits_with_a_sentence(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Failures that a person can mend are one line on standard error and exit status 1, never a trace."""

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        from app.container import StartRefused
        from app.errors import ApiError
        from app.models.errors import WeightsError
        from app.settings.source import SettingsError
        from app.store.database import DatabaseError
        from engines.errors import EngineError

        known = (SettingsError, WeightsError, DatabaseError, StartRefused, ApiError, EngineError)
        try:
            return command(*args, **kwargs)
        except known as wrong:
            print(f"antiphon: {wrong}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(130)
        except BrokenPipeError:  # the reader has had enough, as with `| head`
            sys.stderr.close()
            os._exit(141)

    return wrapped


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars with bytes, speed and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


@contextmanager
def fetch_report() -> Iterator[Callable[[str, int, int], None]]:
    """A report for the weights store that draws a bar for each large file and one for all the small ones."""
    with ExitStack() as stack:
        bars: dict[str, TaskID] = {}
        small: dict[str, tuple[int, int]] = {}
        shown: list[Progress] = []
        lock = threading.Lock()

        def report(name: str, done: int, total: int) -> None:
            with lock:  # files are fetched in parallel
                if not shown:  # nothing is drawn where nothing is fetched
                    shown.append(stack.enter_context(progress_bars()))
                if total < SMALL:
                    small[name] = (done, total)
                    name = "small files"
                    done, total = (sum(values) for values in zip(*small.values(), strict=True))
                if name not in bars:
                    bars[name] = shown[0].add_task(name, total=total)
            shown[0].update(bars[name], completed=done, total=total)

        yield report
