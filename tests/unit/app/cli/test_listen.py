"""`antiphon listen` with all of the app but the engines: a file at the speed of speech, and recorders on
PATH.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.cli.recorders import COMMANDS
from app.container import Container
from app.settings import Settings
from tests.conftest import JFK
from tests.support.command import Command, Done
from tests.support.fake_engines import EchoTranscriber, ToneEngine, ToneSynthesizer, engines_of
from tests.support.sound import RATE, Floats, decode, silence, wav
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def engine(antiphon: Command, monkeypatch: pytest.MonkeyPatch) -> EchoTranscriber:
    """A fake engine that says one word a second. The speech detector is the real one."""
    engine = EchoTranscriber()

    def container(settings: Settings) -> Container:
        return Container(settings, lambda _: engines_of(engine), lambda _: ToneEngine(ToneSynthesizer()))

    monkeypatch.setattr("app.container.Container", container)
    (antiphon.folder / "model").mkdir(parents=True)
    return engine


@pytest.fixture(scope="module")
def speech() -> Floats:
    """Sound of a little more than two words."""
    return decode(JFK.read_bytes())[: int(2.3 * RATE)]


@pytest.fixture
def recorder(antiphon: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a recorder of that name on PATH, as a shell script."""
    folder = antiphon.folder / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def put(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put


def listen(antiphon: Command, *words: str) -> Done:
    settings = {
        "MODELS_ALIASES": f'{{ "whisper-1" = "{antiphon.folder / "model"}" }}',
        "MODELS_PRELOAD": "[]",
    }
    return antiphon("listen", *words, settings=settings)


def raw(antiphon: Command, samples: Floats) -> Path:
    path = antiphon.folder / "talk.raw"
    path.write_bytes((samples * 32_767).astype("<i2").tobytes())
    return path


def test_a_file_is_heard_at_its_own_pace(antiphon: Command, speech: Floats) -> None:
    (antiphon.folder / "talk.wav").write_bytes(wav(speech))
    began = time.monotonic()
    done = listen(antiphon, "--file", "talk.wav", "-o", "new/notes.txt")
    assert (done.code, done.out.split()[0]) == (0, "word0"), done.err
    assert time.monotonic() - began >= len(speech) / RATE
    assert (antiphon.folder / "new/notes.txt").read_text().strip() == done.out.strip()


def test_a_second_file_is_added_to_what_is_there(antiphon: Command, speech: Floats) -> None:
    (antiphon.folder / "talk.wav").write_bytes(wav(speech))
    (antiphon.folder / "notes.txt").write_text("before\n")
    assert listen(antiphon, "--file", "talk.wav", "-o", "notes.txt").code == 0
    assert (antiphon.folder / "notes.txt").read_text().startswith("before\nword0")


def test_a_recorder_is_heard_until_it_ends(
    antiphon: Command, speech: Floats, recorder: Callable[[str, str], None]
) -> None:
    path = raw(antiphon, np.concatenate([speech, silence(1), speech]))
    recorder("arecord", f'echo "$@" > args; cat {path}')
    done = listen(antiphon, "--device", "hw:1")
    assert (done.code, "listening" in done.err) == (0, True)
    turns = done.out.splitlines()
    assert len(turns) == 2
    assert all(turn.startswith("word") for turn in turns)
    assert (antiphon.folder / "args").read_text().split() == [*COMMANDS["arecord"], "-D", "hw:1"]


def test_parec_goes_first(antiphon: Command, recorder: Callable[[str, str], None]) -> None:
    recorder("arecord", "exit 1")
    recorder("parec", 'echo "$@" > args')
    assert listen(antiphon).code == 0
    assert (antiphon.folder / "args").read_text().split() == list(COMMANDS["parec"])


def test_ctrl_c_ends_the_recorder_and_completes_the_turn(
    antiphon: Command, speech: Floats, recorder: Callable[[str, str], None]
) -> None:
    path = raw(antiphon, speech)
    recorder("arecord", f"echo $$ > pid; cat {path}; sleep 1; kill -INT $PPID; exec sleep 100")
    done = listen(antiphon)
    assert (done.code, done.out.split()[0]) == (0, "word0")
    pid = (antiphon.folder / "pid").read_text().strip()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 5, "the end of the recorder")


def test_without_a_recorder_it_says_what_to_install(
    antiphon: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(antiphon.folder))
    done = listen(antiphon)
    assert (done.code, done.out) == (1, "")
    assert "There is no recorder here" in done.err
    assert "pulseaudio-utils" in done.err
    assert "--file" in done.err


def test_a_recorder_that_fails_is_told_with_its_own_words(
    antiphon: Command, recorder: Callable[[str, str], None]
) -> None:
    recorder("arecord", 'echo "ALSA lib: x" >&2; echo "audio open error: No such device" >&2; exit 1')
    done = listen(antiphon)
    assert done.code == 1
    assert "arecord cannot record: audio open error: No such device." in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--file", "absent.wav"), "There is no file absent.wav"),
        (("--file", "noise.wav"), "This is no sound"),
        (("--file", "noise.wav", "--language", "xx"), "no language that Whisper knows"),
        (("--file", "noise.wav", "--model", "gpt-9"), "gpt-9"),
        (("--file", "noise.wav", "-o", "noise.wav"), "is also an input"),
    ],
)
def test_mistakes_are_sentences(antiphon: Command, words: tuple[str, ...], told: str) -> None:
    (antiphon.folder / "noise.wav").write_bytes(b"no sound" * 100)
    done = listen(antiphon, *words)
    assert done.code
    assert told in done.told
    assert "Traceback" not in done.err
