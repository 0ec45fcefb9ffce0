"""Failures of a command as sentences.

Law: a failure that a person can correct is a sentence on standard error, never a stack trace.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import typer

from app.cli.tables import printable

if TYPE_CHECKING:
    from typer._click.exceptions import UsageError
else:
    UsageError = typer.BadParameter.__mro__[1]  # typer exports only a subclass of this class

KNOWN = (
    ("app.container", "StartRefused"),
    ("app.errors", "ApiError"),
    ("app.models.errors", "WeightsError"),
    ("app.settings.load", "SettingsError"),
    ("app.store.database", "DatabaseError"),
    ("engines.errors", "EngineError"),
)
"""Modules and their errors with a sentence as message. A module that is not loaded cannot have raised one."""
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class CommandError(Exception):
    """A command cannot do its work; the message is a sentence for the person who typed it."""


def sentence_of(failure: BaseException) -> str | None:
    """The message for a failure; None for an internal error, whose stack trace must be shown."""
    known = tuple(getattr(sys.modules[module], name) for module, name in KNOWN if module in sys.modules)
    if isinstance(failure, (CommandError, *known)):
        folder = getattr(failure, "folder", None)  # the attribute of `WeightsError`
        return f"{failure} Weights were looked for in {folder}." if folder else str(failure)
    if isinstance(failure, OSError):
        reason = failure.strerror or str(failure)
        return f"{failure.filename}: {reason}." if failure.filename is not None else f"{reason}."
    if isinstance(failure, MemoryError):
        return "There is not enough memory for this."
    return None


def exits_with_a_sentence(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Exit status 1 and a sentence for a failure that a person can correct; 130 for Ctrl-C, as shells expect
    it.
    """

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            sys.exit(130)
        except UsageError as wrong:
            _tell_usage(wrong)
            sys.exit(2)
        except BrokenPipeError:  # the reader of the output has ended, as with `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        except Exception as failure:
            sentence = sentence_of(failure)
            if sentence is None:
                raise
            tell(f"antiphon: {sentence}")
            sys.exit(1)

    return wrapped


def tell(text: str) -> None:
    """Prints lines on standard error, without control characters: a quoted file name cannot change the
    terminal.
    """
    print("\n".join(printable(line) for line in text.splitlines()), file=sys.stderr)


def _tell_usage(wrong: UsageError) -> None:
    """Says what is wrong with the command line, and how to get help."""
    context = wrong.ctx
    if (
        context is not None and wrong.message == context.get_help()
    ):  # nothing was typed, so the message is the help text
        print(wrong.message)
        return
    words = context.command_path if context is not None else "antiphon"
    tell(f"{words}: {wrong.format_message()}\nTry: {words} --help")
