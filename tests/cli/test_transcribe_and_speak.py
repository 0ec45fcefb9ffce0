"""The commands `transcribe`, `speak` and `voices` with all of the app but the engines."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.container import Container
from app.settings import Settings
from engines.errors import EngineError, WeightsBroken
from tests.conftest import JFK
from tests.support.command import Command
from tests.support.fake_engines import EchoTranscriber, ToneEngine, ToneSynthesizer, engines_of
from tests.support.sound import decode, tone, wav


@pytest.fixture(autouse=True)
def engine(antiphon: Command, monkeypatch: pytest.MonkeyPatch) -> EchoTranscriber:
    """A fake engine that says one word a second; commands load it instead of a model."""
    engine = EchoTranscriber()

    def container(settings: Settings) -> Container:
        return Container(settings, lambda _: engines_of(engine), lambda _: ToneEngine(ToneSynthesizer()))

    monkeypatch.setattr("app.container.Container", container)
    for folder in ("model", "../data/weights/tones"):
        (antiphon.folder / folder).mkdir(parents=True)
    (antiphon.data / "weights" / "tones" / "tone.onnx").touch()
    return engine


@pytest.fixture
def recordings(antiphon: Command) -> Path:
    """Three clips in folders, a broken file, an empty file, and a file that is not sound."""
    folder = antiphon.folder / "in"
    (folder / "sub").mkdir(parents=True)
    for name, seconds in (("a.wav", 2), ("sub/a.wav", 3), ("[/b] c.wav", 1)):
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(wav(tone(seconds)))
    (folder / "broken.mp3").write_bytes(b"no sound" * 100)
    (folder / "empty.ogg").touch()
    (folder / "notes.doc").touch()
    return folder


def transcribe(antiphon: Command, *words: str, stdin: bytes = b"") -> tuple[int, str, str]:
    done = antiphon("transcribe", "--no-vad", "--model", "model", *words, stdin=stdin)
    return done.code, done.out, done.err


@pytest.mark.usefixtures("recordings")
def test_a_device_or_a_pipe_stays_what_it_is(antiphon: Command) -> None:
    """A finished file usually takes its name by renaming. For a root user, `-o /dev/null` would so
    replace the device.
    """
    pipe = antiphon.folder / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        for words in (
            ("transcribe", "--no-vad", "--model", "model", "in/a.wav", "-f", "text"),
            ("speak", "a", "--voice", "high", "-f", "wav"),
        ):
            read = pool.submit(pipe.read_bytes)
            done = antiphon(*words, "-o", "pipe")
            assert done.code == 0, done
            assert len(read.result(20)) > 5
            assert pipe.is_fifo()
    refused = antiphon("models", "export", "tones", "-o", "pipe")
    assert "pipe is a device or a pipe" in refused.told
    assert pipe.is_fifo()


@pytest.mark.usefixtures("recordings")
def test_a_link_stays_and_its_file_is_written(antiphon: Command) -> None:
    link = antiphon.folder / "link.txt"
    link.symlink_to("in/notes.doc")
    assert transcribe(antiphon, "in/a.wav", "-o", "link.txt")[0] == 0
    assert link.is_symlink()
    assert (antiphon.folder / "in/notes.doc").read_text().startswith("word0")


def test_one_file_and_standard_input(antiphon: Command, recordings: Path) -> None:
    code, out, err = transcribe(antiphon, "in/a.wav")
    assert (code, err) == (0, "")
    assert out.split()[:2] == ["word0", "word1"]
    assert transcribe(antiphon, "-", stdin=(recordings / "a.wav").read_bytes()) == (0, out, "")


@pytest.mark.parametrize(
    ("form", "begin"),
    [
        ("json", '{"text"'),
        ("srt", "1\n00:00"),
        ("vtt", "WEBVTT"),
        ("verbose_json", '{"task"'),
        ("text", "word0"),
    ],
)
@pytest.mark.usefixtures("recordings")
def test_every_format(antiphon: Command, form: str, begin: str) -> None:
    assert transcribe(antiphon, "-f", form, "in/a.wav")[1].startswith(begin)


@pytest.mark.parametrize(
    ("name", "begin"), [("x.srt", "1\n00:00"), ("x.vtt", "WEBVTT"), ("x.json", '{"text"')]
)
@pytest.mark.usefixtures("recordings")
def test_the_ending_decides(antiphon: Command, name: str, begin: str) -> None:
    assert transcribe(antiphon, "in/a.wav", "-o", name)[0] == 0
    assert (antiphon.folder / name).read_text().startswith(begin)


@pytest.mark.usefixtures("recordings")
def test_a_folder_keeps_its_folders_and_tells_what_failed(antiphon: Command) -> None:
    code, out, err = transcribe(antiphon, "in", "-o", "out", "-f", "srt")
    assert (code, out) == (1, "")
    made = {str(path.relative_to(antiphon.folder / "out")) for path in (antiphon.folder / "out").rglob("*.*")}
    assert made == {"a.srt", "sub/a.srt", "[/b] c.srt"}
    assert "✗ in/broken.mp3: This is no sound" in err
    assert "✗ in/empty.ogg: The file is empty." in err
    assert "Left out, since the endings are those of no sound: 1 file: notes.doc." in err
    assert "3 files transcribed" in err
    assert "2 failed: " in err
    assert "['" not in err
    assert "━" not in err


@pytest.mark.usefixtures("recordings")
def test_a_target_that_cannot_be_written_fails_alone(antiphon: Command) -> None:
    (antiphon.folder / "out" / "a.srt").mkdir(parents=True)
    code, _, err = transcribe(antiphon, "in/a.wav", "in/sub/a.wav", "-o", "out", "-f", "srt")
    assert code == 2
    assert "out/a.wav.srt" in err or "out/a.srt is a folder" in err


@pytest.mark.usefixtures("recordings")
def test_an_engine_that_fails_is_told_once_a_file(antiphon: Command, engine: EchoTranscriber) -> None:
    engine.failure = WeightsBroken("The weights are no weights.")
    code, _, err = transcribe(antiphon, "in/a.wav", "in/[/b] c.wav", "-o", "out")
    assert code == 1
    assert err.count("The weights are no weights.") == 2
    assert "0 files transcribed" in err
    assert not (antiphon.folder / "out").exists()


def test_the_cause_of_an_internal_error_is_told(antiphon: Command, engine: EchoTranscriber) -> None:
    """Clients of the server are not told the cause; a person at the machine is."""
    shutil.copy(JFK, antiphon.folder)
    engine.failure = EngineError("There is no engine `x`.")
    code, _, err = transcribe(antiphon, "jfk.flac")
    assert code == 1
    assert "There is no engine `x`." in err
    assert "server" not in err


def test_a_fault_of_antiphon_is_shown_with_its_trace(antiphon: Command, engine: EchoTranscriber) -> None:
    shutil.copy(JFK, antiphon.folder)
    engine.failure = ZeroDivisionError("ours")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the services make of it
        transcribe(antiphon, "jfk.flac")
    assert not isinstance(caught.value, SystemExit)


def test_speech_into_a_folder_that_does_not_exist(antiphon: Command) -> None:
    done = antiphon("speak", "Hello.", "--voice", "high", "-o", "new/deep/x.wav")
    assert (done.code, done.out) == (0, "")
    assert "the folder new/deep did not exist and is made" in done.err
    assert len(decode((antiphon.folder / "new/deep/x.wav").read_bytes())) > 0


def test_speech_from_standard_input_in_a_voice_that_does_not_exist(antiphon: Command) -> None:
    done = antiphon("speak", "-", "--voice", "bob", "-o", "x.mp3", stdin="Grüße".encode())
    assert done.code == 1
    assert "'bob'" in done.told
    assert not (antiphon.data / "antiphon.db").exists()
    assert "'high'" in done.told
    assert not (antiphon.folder / "x.mp3").exists()


def test_voices_without_a_database(antiphon: Command) -> None:
    rows = json.loads(antiphon("voices", "list", "--json").out)
    assert {"high", "low"} <= {row["voice"] for row in rows}
    assert not (antiphon.data / "antiphon.db").exists()
    lines = antiphon("voices", "list").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == [row["voice"] for row in rows]


def test_what_is_opened_is_closed(antiphon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Container] = []
    opened: list[Container] = []
    build = __import__("app.container", fromlist=["Container"]).Container

    def container(settings: Settings) -> Container:
        made: Container = build(settings)
        opened.append(made)
        close = made.close

        async def closing() -> None:
            closed.append(made)
            await close()

        monkeypatch.setattr(made, "close", closing)
        return made

    monkeypatch.setattr("app.container.Container", container)
    shutil.copy(JFK, antiphon.folder)
    antiphon("db", "upgrade")
    for words in (
        ("voices", "list"),
        ("voices", "delete", "x"),
        ("consents", "list"),
        ("speak", "x", "--voice", "high", "-o", "x.wav"),
        ("speak", "x", "--voice", "nobody", "-o", "x.wav"),
        ("transcribe", "jfk.flac", "--no-vad", "--model", "model"),
    ):
        antiphon(*words)
    assert len(opened) == 6
    assert closed == opened
