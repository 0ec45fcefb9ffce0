"""Promises of the tests themselves: waits are bounded, and skips have reasons."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

HELPERS = ROOT / "tests/support"
NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def files() -> list[Path]:
    """The files of the tests, without their helpers."""
    paths = sorted((ROOT / "tests").rglob("*.py"))
    return [path for path in paths if HELPERS not in path.parents and "node_modules" not in path.parts]


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


def test_loops_that_sleep_stand_in_the_helpers() -> None:
    """They wait without end where something goes wrong, or for too short a time on a busy machine:
    `tests/support/waiting.py` has bounded ones.
    """
    found = {str(path.relative_to(ROOT)): sleeping_loops(path.read_text()) for path in files()}
    assert len(found) > 100
    assert not {name: lines for name, lines in found.items() if lines and name not in ALLOWED}


ALLOWED = {"tests/unit/app/store/test_voices.py"}
"""Kills a writer after a random time, fifty times."""


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
