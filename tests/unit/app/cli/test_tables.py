"""How commands print lists, ids and batches."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Callable

import pytest

from app.cli.failures import CommandError, sentence_of
from app.cli.ids import whole_id
from app.cli.parallel_files import FileBatch, Report, bars, run_all
from app.cli.tables import TableRow, aligned, show

ROWS: list[TableRow] = [{"id": "key_" + "a" * 40, "name": "n"}, {"id": "k", "name": "鍵\x1b[2J\n"}]


class Terminal(io.StringIO):
    """A standard output that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def shown(*, as_json: bool = False, terminal: bool = False, rows: list[TableRow] = ROWS) -> str:
    stream = Terminal() if terminal else io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        show(("id", "name"), rows, as_json=as_json)
    return stream.getvalue()


def test_plain_lines_through_a_pipe() -> None:
    assert shown() == f"key_{'a' * 40}\tn\nk\t鍵\\x1b[2J\\n\n"
    assert shown(rows=[]) == ""


def test_aligned_and_uncut_on_a_terminal() -> None:
    heading, first, second = shown(terminal=True).splitlines()
    assert heading.split() == ["ID", "NAME"]
    assert first == f"key_{'a' * 40}  n"
    assert second.startswith("k" + " " * 45 + "鍵")
    assert shown(terminal=True, rows=[]) == "There are none.\n"


def test_wide_characters_take_two_columns() -> None:
    assert aligned([["鍵", "x"], ["ab", "y"]]) == ["鍵  x", "ab  y"]


def test_json_for_programs() -> None:
    assert json.loads(shown(as_json=True)) == ROWS
    assert shown(as_json=True, rows=[]) == "[]\n"


def test_a_beginning_that_only_one_has() -> None:
    ids = ["key_ab", "key_abc", "key_b"]
    assert whole_id("key_ab", ids, "key") == "key_ab"
    assert whole_id("key_abc", ids, "key") == "key_abc"
    assert whole_id("key_b", ids, "key") == "key_b"
    with pytest.raises(CommandError, match=r"3 keys begin with 'key'.*\n  key_ab\n  key_abc\n  key_b"):
        whole_id("key", ids, "key")
    with pytest.raises(CommandError, match="90 more"):
        whole_id("k", [f"k{number:03}" for number in range(100)], "key")
    for typed in ("", "x"):
        with pytest.raises(CommandError, match="There is no key"):
            whole_id(typed, ids, "key")


def run(steps: dict[str, Callable[[], None]], jobs: int = 2) -> FileBatch:
    def step_of(act: Callable[[], None]) -> Callable[[Report], object]:
        async def step(report: Report) -> None:
            report(1.0, None)
            await asyncio.sleep(0)
            act()

        return step

    with bars(len(steps)) as batch:
        made = [(name, step_of(act)) for name, act in steps.items()]
        asyncio.run(run_all(batch, made, jobs, sentence_of))  # type: ignore[arg-type]  # each is a coroutine
    return batch


def fails(failure: Exception) -> Callable[[], None]:
    def act() -> None:
        raise failure

    return act


def test_one_failure_takes_nothing_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[int] = []
    steps = {f"f{number}": lambda number=number: done.append(number) for number in range(10)}
    batch = run(steps | {"[/x]\x1b[2J": fails(OSError(28, "No space left on device", "out"))})
    assert sorted(done) == list(range(10))
    assert batch.failed == ["[/x]\x1b[2J"]
    told = capsys.readouterr().err
    assert "✗ [/x]\\x1b[2J: out: No space left on device." in told
    assert "10 files transcribed in 0 s, 1 failed: [/x]\\x1b[2J." in told
    assert "━" not in told


def test_a_fault_of_ours_is_raised_after_the_others_are_done() -> None:
    done: list[str] = []
    with pytest.raises(ZeroDivisionError):
        run(
            {"a": fails(ZeroDivisionError()), "b": lambda: done.append("b"), "c": lambda: done.append("c")},
            jobs=1,
        )
    assert done == ["b", "c"]


def test_bars_and_counts_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    run({"a": lambda: None, "[/b]": lambda: None, "c": fails(OSError(2, "No such file or directory", "c"))})
    said = terminal.getvalue()
    assert "━" in said
    assert "3 of 3" in said
    assert "[/b]" in said
    assert "✗ c: c: No such file or directory." in said


def test_one_file_has_no_summary(capsys: pytest.CaptureFixture[str]) -> None:
    run({"a": lambda: None})
    assert capsys.readouterr().err == ""
