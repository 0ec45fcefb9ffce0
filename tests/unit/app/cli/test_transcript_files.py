"""The name and the format of each transcript file, which are decided before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from app.cli.sound_files import SOUND_ENDINGS
from app.cli.transcript_files import Plan, TranscriptFormat, format_of, plan


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("one/a.mp3", "one/sub/a.mp3", "one/sub/b.wav", "one/notes.doc", "two/a.mp3", "c.ogg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    for name in ("one/.hidden.mp3", "one/.git/x.mp3", "one/a.srt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


def targets(made: Plan) -> dict[str, str]:
    return {task.sound.source: str(task.target) for task in made.tasks}


def test_one_file_goes_to_standard_output() -> None:
    (task,) = plan(["c.ogg"], None, ".txt").tasks
    assert task.target is None
    (task,) = plan(["-"], None, ".txt").tasks
    assert task.target is None


def test_one_file_into_a_file_or_into_a_folder() -> None:
    assert targets(plan(["c.ogg"], Path("x.srt"), ".srt")) == {"c.ogg": "x.srt"}
    assert targets(plan(["c.ogg"], Path("two"), ".srt")) == {"c.ogg": "two/c.srt"}


def test_sub_folders_stay() -> None:
    made = plan(["one"], Path("out"), ".srt")
    assert targets(made) == {
        "one/a.mp3": "out/a.srt",
        "one/sub/a.mp3": "out/sub/a.srt",
        "one/sub/b.wav": "out/sub/b.srt",
    }
    assert [path.name for path in made.left_out] == ["notes.doc"]


def test_without_a_folder_each_transcript_lies_beside_its_file() -> None:
    assert targets(plan(["two"], None, ".txt")) == {"two/a.mp3": "two/a.txt"}
    assert targets(plan(["c.ogg", "-"], None, ".txt")) == {"c.ogg": "c.txt", "-": "stdin.txt"}


def test_several_folders_keep_their_names() -> None:
    made = targets(plan(["one", "two"], Path("out"), ".txt"))
    assert made["one/a.mp3"] == "out/one/a.txt"
    assert made["two/a.mp3"] == "out/two/a.txt"


def test_files_that_differ_in_their_ending_keep_it(folder: Path) -> None:
    (folder / "two" / "a.mp4").write_text("x")
    assert targets(plan(["two"], None, ".srt")) == {
        "two/a.mp3": "two/a.mp3.srt",
        "two/a.mp4": "two/a.mp4.srt",
    }


def test_a_file_that_is_named_twice_is_done_once() -> None:
    assert len(plan(["c.ogg", "c.ogg"], None, ".txt").tasks) == 1


def test_two_inputs_that_would_become_one_file_are_named() -> None:
    with pytest.raises(typer.BadParameter, match=r"one/a.mp3 and two/a.mp3 would both become out/a.mp3.txt"):
        plan(["one/a.mp3", "two/a.mp3"], Path("out"), ".txt")


@pytest.mark.parametrize(
    ("files", "output", "told"),
    [
        (["c.ogg"], "c.ogg", "also an input"),
        (["c.ogg", "two/a.mp3"], "c.ogg", "c.ogg is a file"),
        (["one"], "out.srt", "out.srt is a file"),
        (["one"], "c.ogg/x", "is a file"),
        (["c.ogg"], "c.ogg/x.srt", "is a file"),
        (["nowhere"], None, "no file nowhere"),
        ([".git"], None, "no file .git"),
    ],
)
def test_mistakes_are_found_before_the_work(files: list[str], output: str | None, told: str) -> None:
    with pytest.raises(typer.BadParameter, match=told):
        plan(files, Path(output) if output else None, ".srt")


@pytest.mark.parametrize(
    ("output", "named", "form"),
    [
        (None, None, TranscriptFormat.text),
        ("x.srt", None, TranscriptFormat.srt),
        ("X.VTT", None, TranscriptFormat.vtt),
        ("x.json", None, TranscriptFormat.json),
        ("x.json", TranscriptFormat.verbose_json, TranscriptFormat.verbose_json),
        ("x.doc", TranscriptFormat.srt, TranscriptFormat.srt),
        ("x", None, TranscriptFormat.text),
        ("two", TranscriptFormat.srt, TranscriptFormat.srt),
        ("x.srt", TranscriptFormat.vtt, None),
        ("x.doc", None, None),
    ],
)
def test_the_ending_and_the_format(
    output: str | None, named: TranscriptFormat | None, form: TranscriptFormat | None
) -> None:
    path = Path(output) if output else None
    if form:
        assert format_of(path, named) is form
        return
    with pytest.raises(typer.BadParameter, match=r"ends like srt|is no format"):
        format_of(path, named)


def test_known_endings() -> None:
    usual = ".mp2 .3gp .avi .caf .m4v .mpg .ts .au .spx .amr .wma .mka .wav .mp3 .m4a .webm .mkv .opus"
    assert set(usual.split()) <= SOUND_ENDINGS
    assert all(ending == ending.lower() for ending in SOUND_ENDINGS)
