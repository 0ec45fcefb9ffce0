"""The command, as a person types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jiwer
import pytest

from app.models.weights import WeightsStore
from tests.conftest import JFK, JFK_TEXT
from tests.support.server import KEY, Server, free_port, run_cli
from tests.support.sound import decode, wav

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def words() -> jiwer.Compose:
    return jiwer.Compose(
        [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.Strip(), jiwer.ReduceToListOfListOfWords()]
    )


@pytest.mark.real
def test_one_file_to_standard_output(storage: Path, words: jiwer.Compose) -> None:
    done = run_cli(storage, "transcribe", str(JFK))
    assert done.returncode == 0, done.stderr
    assert jiwer.wer(JFK_TEXT, done.stdout, reference_transform=words, hypothesis_transform=words) <= 0.05


@pytest.mark.real
def test_standard_input(storage: Path) -> None:
    """Each format is in `tests/golden`."""
    begins = {"vtt": "WEBVTT\n", "verbose_json": '{"task"'}
    for form, begin in begins.items():
        done = run_cli(storage, "transcribe", "-f", form, "-", stdin=JFK.read_bytes())
        assert done.stdout.startswith(begin), done.stderr
    assert json.loads(done.stdout)["words"]


@pytest.mark.real
def test_folders_and_several_files_at_once(storage: Path, tmp_path: Path) -> None:
    """Sub-folders stay, what is left out is told, and a file that fails takes no other one with it."""
    for folder in ("deep", "other"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        shutil.copy(JFK, tmp_path / "in" / folder / "a.flac")
    shutil.copy(JFK, tmp_path / "in" / "[b].mp2")
    (tmp_path / "in" / "notes.doc").write_text("no sound")
    (tmp_path / "in" / "broken.mp3").write_bytes(b"no sound either")
    done = run_cli(storage, "transcribe", "-f", "srt", "-o", str(tmp_path / "out"), str(tmp_path / "in"))
    assert done.returncode == 1
    assert "1 file: notes.doc" in done.stderr
    assert "broken.mp3: This is no sound" in done.stderr
    assert "3 files transcribed in" in done.stderr
    assert "1 failed: " in done.stderr
    assert "━" not in done.stderr, "bars are for terminals"
    made = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert made == {"deep/a.srt", "other/a.srt", "[b].srt"}


@pytest.mark.real
def test_the_ending_says_the_format(storage: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.srt"
    assert run_cli(storage, "transcribe", str(JFK), "-o", str(target)).returncode == 0
    assert target.read_text().startswith("1\n00:00")


@pytest.mark.real
def test_speech_into_a_new_folder(storage: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "hello.wav"
    done = run_cli(storage, "speak", "Hello.", "--model", "tts-1", "--voice", "cedar", "-o", str(target))
    assert done.returncode == 0, done.stderr
    assert f"the folder {target.parent} did not exist" in done.stderr
    assert target.read_bytes().startswith(b"RIFF")


@pytest.mark.real
def test_a_folder_as_the_model(storage: Path, whisper_folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "my-whisper"
    shutil.copytree(whisper_folder, mine)
    done = run_cli(storage, "transcribe", "--model", str(mine), "--language", "english", str(JFK))
    assert "country" in done.stdout, done.stderr


def test_settings_are_checked_at_the_start(tmp_path: Path) -> None:
    done = run_cli(tmp_path, "serve", settings={"SERVER_PROT": "1"})
    assert done.returncode == 1
    assert "Did you mean `ANTIPHON_SERVER_PORT`?" in done.stderr


def test_a_reachable_server_without_keys_is_refused(tmp_path: Path) -> None:
    run_cli(tmp_path, "db", "upgrade")
    done = run_cli(tmp_path, "serve", "--host", "0.0.0.0", "--port", str(free_port()))  # noqa: S104 - to be refused
    assert done.returncode == 1
    assert "antiphon keys create" in done.stderr


@pytest.mark.real
def test_the_list_tells_what_the_server_has_in_memory(storage: Path, server: Server) -> None:
    settings = {"SERVER_PORT": server.root.rpartition(":")[2], "AUTH_KEYS": KEY}
    lines = run_cli(storage, "models", "list", settings=settings).stdout.splitlines()
    (whisper,) = [line for line in lines if "whisper-base" in line]
    assert "loaded" in whisper
    nobody = run_cli(storage, "models", "list", settings={"SERVER_PORT": str(free_port())})
    assert nobody.returncode == 0
    assert "No server answers" in nobody.stderr


@pytest.mark.real
def test_models_are_carried_to_another_machine(storage: Path, tmp_path: Path) -> None:
    here, offline = tmp_path / "here", {"WEIGHTS_OFFLINE": "true"}
    assert "ready" in run_cli(storage, "models", "list").stdout
    tar = str(tmp_path / "set.tar")
    assert run_cli(storage, "models", "export", "-o", tar).returncode == 0
    assert "absent" in run_cli(here, "models", "list", settings=offline).stdout
    done = run_cli(here, "models", "import", tar, settings=offline)
    assert done.returncode == 0, done.stderr
    assert run_cli(here, "models", "verify").returncode == 0
    model = WeightsStore(here / "weights", hub="").path("whisper-base") / "model.bin"
    with model.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    broken = run_cli(here, "models", "verify")
    assert broken.returncode == 1
    assert "model.bin: damaged" in broken.stdout
    refused = run_cli(here, "transcribe", str(JFK), settings=offline)
    assert "are damaged" in refused.stderr
    mirrors = {"WEIGHTS_MIRRORS": str(storage / "weights")}
    repaired = run_cli(here, "models", "pull", settings=offline | mirrors)
    assert repaired.returncode == 0, repaired.stderr
    assert run_cli(here, "models", "verify").returncode == 0
    assert "removed" in run_cli(here, "models", "remove", "whisper-base").stdout


@pytest.mark.real
def test_doctor(storage: Path, tmp_path: Path) -> None:
    port = str(free_port())
    database = f"sqlite:///{tmp_path}/antiphon.db"
    settings = {"SERVER_PORT": port, "STORAGE_DATABASE_URL": database}
    ill = run_cli(storage, "doctor", settings=settings)
    assert ill.returncode == 1
    assert "antiphon db upgrade" in ill.stdout
    run_cli(storage, "db", "upgrade", settings=settings)
    well = run_cli(storage, "doctor", settings=settings)
    assert well.returncode == 0, well.stdout
    for part in ("Python", "Codecs", "Weights", "Database", "GPU", "Port"):
        assert part in well.stdout


@pytest.mark.real
def test_transcribe_says_who_speaks(storage: Path, tmp_path: Path) -> None:
    """And who spoke how much, in a table beside the transcript."""
    done = run_cli(
        storage, "transcribe", "--speaker", f"Jack={clip(tmp_path)}", "-f", "diarized_json", str(JFK)
    )
    assert done.returncode == 0, done.stderr
    segments = json.loads(done.stdout)["segments"]
    assert {segment["speaker"] for segment in segments} == {"Jack"}
    assert "share" in done.stderr
    assert "100 %" in done.stderr


def clip(folder: Path) -> Path:
    """Five seconds of the same speaker."""
    path = folder / "jack.wav"
    path.write_bytes(wav(decode(JFK.read_bytes())[: 5 * 16_000]))
    return path
