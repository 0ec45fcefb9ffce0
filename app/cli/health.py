"""`antiphon health`: for supervisors and container health checks."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app.cli.options import Config, number

LONGEST_WAIT = 86_400.0
"""The longest time that `--seconds` may ask for: a day."""

Wait = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.1,
        max=LONGEST_WAIT,
        callback=number,
        help="Longest wait for the answer.",
    ),
]


def health(
    live: Annotated[
        bool, typer.Option("--live", help="Ask only whether the process answers, not whether it can work.")
    ] = False,
    seconds: Wait = 2.0,
    config: Config = None,
) -> None:
    """Ask the running server whether it is ready.

    It is looked for at the address and the port of the settings. The exit status is 1
    if it does not answer or is not ready.

    Example:
        antiphon health
    """
    from app.cli.failures import CommandError
    from app.cli.health_probe import NoAnswer, health_of
    from app.cli.server_address import address
    from app.cli.tables import printable
    from app.settings.load import load_settings

    settings = load_settings(config)
    where = f"{address(settings.server)} port {settings.server.port}"
    try:
        problems = health_of(settings, "/health/live" if live else "/health/ready", seconds).problems
    except NoAnswer as wrong:
        raise CommandError(f"No server answers at {where}: {wrong}.") from None
    if problems:
        told = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        raise CommandError(f"The server at {where} is not ready. {printable(told)}")
    sys.stdout.write(f"The server at {where} is {'live' if live else 'ready'}.\n")
