"""No mistake of a user gives a traceback: each is a sentence and an exit status of 1 or 2."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli import options
from app.runtime.ray_node import RayNode
from app.store.tables import HEAD
from engines.errors import EngineError
from tests.cli.test_help import LEAVES
from tests.conftest import JFK
from tests.support.command import Command, Done

pytestmark = [pytest.mark.slow, pytest.mark.uncounted]

ODD = (
    "",
    " ",
    "nowhere.wav",
    "a-folder",
    "empty.wav",
    "notes.txt",
    "binary.bin",
    "[/draft] x.webm",
    "[bold]x",
    "9999",
    "-1",
    "x" * 5000,
    "../../x",
    "\x1b[31mred",
    "ключ 鍵",
    "\udcff\udcfe",
    "a=b",
    "${HOME}",
    "nan",
    "inf",
    "1e300",
)
"""Odd values for every argument and option. Those that look like files exist, except for nowhere.wav."""
HARMLESS = {"serve": ("--host", "0.0.0.0")}  # noqa: S104 - refused without keys
"""Arguments that keep a command from working for hours if the odd value is accepted."""


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`antiphon ray up` would start a cluster and wait for Ctrl-C."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise EngineError("Ray could not be started.")

    monkeypatch.setattr(RayNode, "__init__", refuse)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def files(antiphon: Command) -> Path:
    """The working folder with the files of `ODD`."""
    folder = antiphon.folder
    (folder / "a-folder").mkdir()
    (folder / "empty.wav").touch()
    (folder / "notes.txt").write_text("no sound at all\n" * 100)
    (folder / "binary.bin").write_bytes(bytes(range(256)) * 50)
    (folder / "[").mkdir()  # with this, `[/draft] x.webm` is a path that looks like rich's markup
    (folder / "[/draft] x.webm").write_bytes(b"\x1aE\xdf\xa3 no webm")
    return folder


def required(command: Any, but: Any = None, value: str = "") -> list[str]:
    """The words of a call that gives a command what it requires. The parameter `but` gets `value`, also if it
    is not required.
    """
    words: list[str] = []
    for parameter in command.params:
        chosen = value if parameter is but else "notes.txt"
        if parameter.param_type_name == "argument" and (parameter.required or parameter is but):
            words.append(chosen)
        elif parameter.param_type_name == "option" and (parameter.required or parameter is but):
            words += [parameter.opts[0]] if parameter.is_flag else [parameter.opts[0], chosen]
    return words


def is_a_sentence(done: Done) -> bool:
    return done.code in (0, 1, 2) and "Traceback" not in done.told and (done.code == 0 or len(done.told) > 15)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
@pytest.mark.usefixtures("files")
def test_odd_values_of_every_parameter(antiphon: Command, path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    for parameter in command.params:
        if parameter.name == "help":
            continue
        for value in ODD[:1] if getattr(parameter, "is_flag", False) else ODD:
            words = required(command, parameter, value)
            done = antiphon(*path, *HARMLESS.get(path[0], ()), *words)
            assert is_a_sentence(done), (path, words, done)
            assert "\x1b[31m" not in done.out + done.err, (path, words)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
@pytest.mark.usefixtures("files")
def test_odd_values_with_a_database(antiphon: Command, path: tuple[str, ...]) -> None:
    """The same with a database: without one, most commands end before they look at their values."""
    antiphon("db", "upgrade")
    antiphon("keys", "create", "somebody")
    for parameter in LEAVES[path].params:
        if parameter.name == "help" or getattr(parameter, "is_flag", False):
            continue
        for value in ("", "+1", "%", "key_", "\udcff\udcfe"):
            words = required(LEAVES[path], parameter, value)
            done = antiphon(*path, *HARMLESS.get(path[0], ()), *words)
            assert is_a_sentence(done), (path, words, done)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    "settings",
    [
        {"STORAGE_DATABASE_URL": "mysql://user:hunter2@host/name"},
        {"STORAGE_DATABASE_URL": "postgresql://user:hunter2@127.0.0.1:1/name"},
        {"STORAGE_DATABASE_URL": "sqlite:////proc/nothing/antiphon.db"},
        {"STORAGE_FOLDER": "notes.txt"},
        {"STORAGE_FOLDER": "/proc/nothing"},
        {"SERVER_PORT": "70000"},
        {"SERVER_HOST": "a\tb"},
        {"MODELS_PRELOAD": "nonsense"},
        {"DIARIZATION_MODEL": "../x"},
    ],
    ids=lambda value: next(iter(value.items())),
)
def test_odd_settings(antiphon: Command, path: tuple[str, ...], settings: dict[str, str]) -> None:
    done = antiphon(*path, *HARMLESS.get(path[0], ()), *required(LEAVES[path]), settings=settings)
    assert is_a_sentence(done), done
    assert "hunter2" not in done.told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("transcribe nowhere.wav", "There is no file nowhere.wav"),
        ("transcribe a-folder", "no audio file"),
        ("transcribe empty.wav", "empty.wav: The file is empty"),
        ("transcribe -", "Standard input is empty"),
        (
            "transcribe -o notes.txt empty.wav binary.bin",
            "Several transcripts need a folder, and notes.txt is a file",
        ),
        ("transcribe -o out.srt empty.wav binary.bin", "Several transcripts need a folder"),
        ("transcribe -o notes.txt/x.srt empty.wav", "notes.txt is a file"),
        ("transcribe -o empty.wav -f text empty.wav", "also an input"),
        ("transcribe -o x.srt -f vtt empty.wav", "x.srt ends like srt, but --format says vtt"),
        ("transcribe -o x.doc empty.wav", "is no format"),
        ("transcribe --language klingon empty.wav", "'klingon' is no language"),
        ("transcribe --diarize -f json empty.wav", "cannot say who speaks"),
        ("transcribe --speaker Anna empty.wav", "write NAME=FILE"),
        ("transcribe --speaker Anna=nowhere.wav empty.wav", "there is no file nowhere.wav"),
        ("transcribe --speaker Anna=a-folder empty.wav", "there is no file a-folder"),
        ("speak x -o x.xyz", "is no format"),
        ("speak x -o x.mp3 -f wav", "x.mp3 ends like mp3, but --format says wav"),
        ("speak x -o a-folder -f wav", "a-folder is a folder"),
        ("speak - -o x.mp3", "The text is empty"),
        ("speak x --speed 9 -o x.mp3", "9"),
        ("speak x -o x.mp3", "antiphon models pull"),
        ("voices list", "There are no voices in"),
        ("voices delete x", "antiphon db upgrade"),
        ("consents list", "antiphon db upgrade"),
        ("consents phrase xx", "There is no phrase in 'xx'"),
        ("models pull nope", "The catalogue has: "),
        ("models pull ../x", "cannot be the name of a model"),
        ("models pull", "antiphon models import"),
        ("models export -o a-folder", "a-folder is a folder"),
        ("models export", "antiphon models pull kokoro-82m"),
        ("models import a-folder", "is a directory"),
        ("models import notes.txt", "notes.txt"),
        ("models remove nope", "There is no nope in"),
        ("models verify nope", "nope: not installed"),
        ("keys list", "antiphon db upgrade"),
        ("db downgrade 9999", "is empty"),
        ("serve --port 70000", "70000"),
        ("serve --config nowhere.toml", "nowhere.toml cannot be read"),
        ("keys list --config a-folder", "a-folder cannot be read: Is a directory"),
        ("keys list --config binary.bin", "binary.bin is not UTF-8 text"),
    ],
    ids=lambda value: value[:40],
)
@pytest.mark.usefixtures("files")
def test_the_sentence_says_what_is_wrong(antiphon: Command, words: str, told: str) -> None:
    before = sorted(antiphon.folder.rglob("*"))
    done = antiphon(*words.split())
    assert done.code in (1, 2)
    assert told in done.told
    assert "server" not in done.told or words.startswith("serve"), "there is no server here"
    assert sorted(antiphon.folder.rglob("*")) == before, "nothing is left behind"
    assert not (antiphon.data / "antiphon.db").exists()


def test_a_message_names_the_folder_it_looked_in(antiphon: Command) -> None:
    for words in (("transcribe", str(JFK)), ("speak", "x", "-o", "x.mp3"), ("voices", "list")):
        assert str(antiphon.data / "weights") in antiphon(*words).told
    assert not antiphon.data.exists()


def test_binary_text_is_refused(antiphon: Command) -> None:
    done = antiphon("speak", "-", "-o", "x.mp3", stdin=bytes(range(256)))
    assert done.code == 2
    assert "not UTF-8" in done.told


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_told_before_the_work(antiphon: Command) -> None:
    antiphon.folder.chmod(0o500)
    done = antiphon("transcribe", str(JFK), "-o", "out.srt")
    antiphon.folder.chmod(0o700)
    assert done.code == 2
    assert "cannot be written" in done.told


def test_a_prompt_may_hold_bytes_that_are_no_text() -> None:
    """Tokenizers refuse such bytes. Before this was fixed, that was a stack trace after the model was
    loaded.
    """
    assert options.text("caf\udcff\0 noir") == "caf\ufffd noir"
    for path in (("transcribe",), ("listen",)):
        (prompt,) = [parameter for parameter in LEAVES[path].params if parameter.name == "prompt"]
        assert prompt.callback is not None


def test_a_revision_that_does_not_exist(antiphon: Command) -> None:
    assert antiphon("db", "upgrade").code == 0
    done = antiphon("db", "downgrade", "9999")
    assert done.code == 1
    assert "no revision `9999`" in done.told
    assert antiphon("db", "current").out.startswith(HEAD)


def test_a_damaged_database_is_told(antiphon: Command) -> None:
    antiphon.data.mkdir()
    (antiphon.data / "antiphon.db").write_bytes(b"this is no database" * 100)
    for words in (("keys", "list"), ("db", "upgrade"), ("db", "current"), ("voices", "list"), ("doctor",)):
        assert is_a_sentence(antiphon(*words)), words


def test_ids_are_whole_and_any_beginning_will_do(antiphon: Command) -> None:
    antiphon("db", "upgrade")
    ids = [antiphon("keys", "create", f"name {number}").err.split()[0] for number in range(3)]
    lines = antiphon("keys", "list").out.splitlines()
    assert {line.split("\t")[0] for line in lines} == set(ids)
    listed = json.loads(antiphon("keys", "list", "--json").out)
    assert {row["id"] for row in listed} == set(ids)
    assert listed[0]["state"] == "valid"
    assert antiphon("keys", "revoke", ids[0][:-4]).code == 0
    again = antiphon("keys", "revoke", ids[0])
    assert (again.code, "already revoked" in again.told) == (1, True)
    many = antiphon("keys", "revoke", "key_")
    assert many.code == 1
    assert all(key in many.told for key in ids)
    for nothing in ("", "nope"):
        assert "There is no key" in antiphon("keys", "revoke", nothing).told
    states = {row["id"]: row["state"] for row in json.loads(antiphon("keys", "list", "--json").out)}
    assert [states[key] for key in ids] == ["revoked", "valid", "valid"]


def fill(antiphon: Command, table: str, ids: list[str]) -> None:
    """Adds rows with these ids to a table of the database."""
    antiphon("db", "upgrade")
    with sqlite3.connect(antiphon.data / "antiphon.db") as database:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        for number, row_id in enumerate(ids):
            row: dict[str, object] = dict.fromkeys(columns, b"") | {"seq": number, "id": row_id, "created": 0}
            row |= {"name": f"N\x1b[2J{number}", "project": "default", "language": "en"}
            row |= {"cloner": "c", "model": "m", "similarity": 0.5, "encoder": "e", "nearest": "n"}
            values = [row[column] for column in columns]
            database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", values)  # noqa: S608
    database.close()


def test_consents_by_their_beginnings(antiphon: Command) -> None:
    fill(antiphon, "voice_consents", [f"cons_{number:03}ab" for number in range(150)])  # more than one page
    lines = antiphon("consents", "list").out.splitlines()
    assert len(lines) == 150
    assert "\x1b" not in "".join(lines)
    assert "begin with 'cons_1'" in antiphon("consents", "delete", "cons_1").told
    assert "cons_042ab" in antiphon("consents", "delete", "cons_042").told
    assert "There is no consent" in antiphon("consents", "delete", "cons_042").told


def test_voices_by_their_beginnings(antiphon: Command) -> None:
    fill(antiphon, "voices", ["voice_a1", "voice_a2", "voice_b1"])
    assert {line.split("\t")[0] for line in antiphon("voices", "list").out.splitlines()} == {
        "voice_a1",
        "voice_a2",
        "voice_b1",
    }
    assert "2 voices begin with 'voice_a'" in antiphon("voices", "delete", "voice_a").told
    assert "voice_b1 is deleted" in antiphon("voices", "delete", "voice_b").told
    assert "There is no voice" in antiphon("voices", "delete", "voice_b").told


def test_the_schema_goes_up_and_down(antiphon: Command) -> None:
    assert antiphon("db", "current").out.startswith("empty")
    assert not antiphon.data.exists()
    antiphon("db", "upgrade")
    assert antiphon("db", "current").out.startswith(HEAD)
    assert antiphon("db", "downgrade", "base").out == "The database is at base.\n"
    assert antiphon("db", "current").out.startswith("empty")


def test_the_secret_of_a_key_is_shown_once(antiphon: Command) -> None:
    antiphon("db", "upgrade")
    made = antiphon("keys", "create", "newsroom", "--project", "news")
    assert made.out.startswith("sk-")
    listed = antiphon("keys", "list").out
    assert "newsroom" in listed
    assert made.out.strip() not in listed


def test_the_port_of_the_command_line_wins_over_a_secret_file(antiphon: Command) -> None:
    (antiphon.folder / "port").write_text("nonsense")
    settings = {"SERVER_HOST_FILE": "port"}
    assert "nonsense" in antiphon("serve", settings=settings).told
    assert "antiphon db upgrade" in antiphon("serve", "--host", "127.0.0.1", settings=settings).told
