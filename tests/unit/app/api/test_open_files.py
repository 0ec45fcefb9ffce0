"""The limit of open files."""

from __future__ import annotations

import resource
from types import SimpleNamespace

import pytest

from app.api import open_files
from app.settings import Settings

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "connections"),
    [
        (1 << 20, 1 << 20, None, "all"),
        (256, 1 << 20, "needed", "all"),
        (256, INFINITE, "needed", "all"),
        (256, 300, 300, 150),
        (20, 20, None, 16),
    ],
)
def test_the_limit_is_raised_as_far_as_is_needed_and_allowed(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: object, connections: object
) -> None:
    settings = Settings()
    needed = settings.server.connections + 2 * settings.limits.uploads + open_files.OTHER_FILES
    limits: list[tuple[int, int]] = []
    fake = SimpleNamespace(
        RLIMIT_NOFILE=resource.RLIMIT_NOFILE,
        RLIM_INFINITY=INFINITE,
        getrlimit=lambda _: (soft, hard),
        setrlimit=lambda _, pair: limits.append(pair),
    )
    monkeypatch.setattr(open_files, "resource", fake)
    expected = settings.server.connections if connections == "all" else connections
    assert open_files.affordable_connections(settings) == expected
    assert limits == ([] if raised is None else [(needed if raised == "needed" else raised, hard)])
