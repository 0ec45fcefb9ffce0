"""Promises of the tests themselves: waits are bounded, and so are loops that read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


ALLOWED = {
    "tests/support/waiting.py": "the bounded waits of the tests",
    "tests/support/server.py": "a server may take two minutes to start, and the failure shows its log",
    "tests/support/scripted_engines.py": "an engine in another process waits for a file, with its own bound",
    "tests/support/gil_time.py": "measures a function, and ends with it",
    "tests/support/fake_server.py": "measures the event loop until its server ends",
    "tests/support/live_stage.py": "lets a session run between two pieces of a sound",
    "tests/support/chaos.py": "a slow client pauses for a random time",
    "tests/unit/app/store/test_voices.py": "kills a writer after a random time, fifty times",
}
"""The files in which a loop sleeps, and why."""


def files() -> list[Path]:
    paths = sorted((ROOT / "tests").rglob("*.py"))
    return [path for path in paths if "node_modules" not in path.parts]


def inner(loop: ast.stmt) -> Iterator[ast.AST]:
    """The nodes that run in each round of a loop; functions that are only defined there do not."""
    waiting = list(ast.iter_child_nodes(loop))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, NESTED):
            waiting += ast.iter_child_nodes(node)


def sleeping_loops(code: str) -> list[int]:
    """The lines of the loops that call a function named `sleep` in each round."""
    return [
        loop.lineno
        for loop in ast.walk(ast.parse(code))
        if isinstance(loop, ast.While | ast.For | ast.AsyncFor)
        and any(
            isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "sleep"
            for node in inner(loop)
        )
    ]


def blind_reads(code: str) -> list[int]:
    """The lines of the loops that read in each round and do not see the end of what they read: neither does
    their condition name what was read (`while piece := ...`), nor can a round end them.
    """
    return [
        loop.lineno
        for loop in ast.walk(ast.parse(code))
        if isinstance(loop, ast.While)
        and not any(isinstance(node, ast.NamedExpr) for node in ast.walk(loop.test))
        and not any(isinstance(node, ast.Assert | ast.Raise | ast.Break | ast.Return) for node in inner(loop))
        and any(
            isinstance(node, ast.Call)
            and ast.unparse(node.func).rpartition(".")[2] in READS
            and "timeout" not in [given.arg for given in node.keywords]
            for statement in loop.body
            for node in (statement, *inner(statement))
        )
    ]


READS = ("recv", "read", "readline")
"""Methods of sockets and files. Those of a WebSocket client take a `timeout` and raise at the end."""


def test_loops_that_sleep_stand_in_the_helpers() -> None:
    """They wait without end where something goes wrong, or for too short a time on a busy machine:
    `tests/support/waiting.py` has bounded ones.
    """
    found = {str(path.relative_to(ROOT)): sleeping_loops(path.read_text()) for path in files()}
    assert len(found) > 100
    assert {name for name, lines in found.items() if lines} == set(ALLOWED)


def test_loops_that_read_see_the_end() -> None:
    """At the end of a stream, each further read gives nothing at once: such a loop would run for ever."""
    found = {str(path.relative_to(ROOT)): blind_reads(path.read_text()) for path in files()}
    assert not {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("while not done():\n    time.sleep(0.1)", [1]),
        ("for _ in range(9):\n    if done():\n        break\n    sleep(1)", [1]),
        ("async def wait():\n    async for _ in lines:\n        await asyncio.sleep(0)", [2]),
        ("for name in names:\n    def slow():\n        time.sleep(1)\n    run(slow)", []),
        ("time.sleep(1)\nwhile not done():\n    step()", []),
    ],
)
def test_such_loops_are_found(code: str, lines: list[int]) -> None:
    assert sleeping_loops(code) == lines


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ('data = b""\nwhile not data:\n    data += line.recv(100)', [2]),
        ("while piece := line.recv(100):\n    data += piece", []),
        ("while not done():\n    piece = line.recv(9)\n    assert piece", []),
        ("while left:\n    left = step(left)", []),
        ("while now() < end:\n    socket.recv(timeout=1)", []),
        ("while True:\n    if not file.read(1):\n        break", []),
    ],
)
def test_blind_reads_are_found(code: str, lines: list[int]) -> None:
    assert blind_reads(code) == lines
