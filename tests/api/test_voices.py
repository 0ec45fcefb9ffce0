"""Consents and custom voices on a real server: real speech, a real recogniser, a real speaker encoder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from app.text.consent_phrases import PHRASES
from tests.conftest import JFK
from tests.support.decoded import decode
from tests.support.server import Server, run_cli, running
from tests.support.sound import silence, tone, wav
from tests.support.waiting import wait_until

pytestmark = pytest.mark.real
VOICES, CONSENTS = "/audio/voices", "/audio/voice_consents"
SAMPLE = "The library closes at nine in the evening, and the last bus leaves ten minutes later."


@pytest.fixture(scope="module")
def house(storage: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for these tests: it has projects, each with room for two voices."""
    folder = tmp_path_factory.mktemp("voices")
    database = f"sqlite:///{folder}/antiphon.db"
    settings = {"STORAGE_DATABASE_URL": database, "VOICES_PER_PROJECT": "2"}
    with running(storage, folder / "log", ready=True, **settings) as server:
        server.settings.update(settings)
        yield server


@pytest.fixture(scope="module")
def client(house: Server) -> Iterator[httpx2.Client]:
    with house.client() as made:
        yield made


def say(client: httpx2.Client, text: str, voice: str = "cedar") -> bytes:
    body = {"model": "tts-1", "voice": voice, "input": text, "response_format": "wav"}
    answer = client.post("/audio/speech", json=body)
    assert answer.status_code == 200, answer.text
    return answer.content


def record(client: httpx2.Client, data: bytes, name: str = "Ann", language: str = "en-US") -> httpx2.Response:
    form = {"name": name, "language": language}
    return client.post(CONSENTS, data=form, files={"recording": ("r.wav", data)})


def make(client: httpx2.Client, data: bytes, consent: str, name: str = "Ann") -> httpx2.Response:
    return client.post(VOICES, data={"name": name, "consent": consent}, files={"audio_sample": ("s", data)})


def error(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()["error"]
    return found


@pytest.fixture(scope="module")
def phrase(client: httpx2.Client) -> bytes:
    return say(client, PHRASES["en"])


@pytest.fixture(scope="module")
def sample(client: httpx2.Client) -> bytes:
    return say(client, SAMPLE)


@pytest.fixture
def consent(client: httpx2.Client, phrase: bytes) -> Iterator[str]:
    made: str = record(client, phrase).json()["id"]
    yield made
    client.delete(f"{CONSENTS}/{made}")


def test_a_voice_lives_and_dies_with_its_consent(client: httpx2.Client, phrase: bytes, sample: bytes) -> None:
    consent = record(client, phrase).json()
    assert consent["id"].startswith("cons_")
    voice = make(client, sample, consent["id"]).json()
    assert voice["object"] == "audio.voice"
    details = client.get(f"{VOICES}/{voice['id']}").json()
    assert (details["cloner"], details["engine"], details["consent"]) == (
        "kokoro-match",
        "kokoro",
        consent["id"],
    )
    assert client.get(VOICES).json()["data"][0]["id"] == voice["id"]
    for wanted in ({"id": voice["id"]}, voice["id"], "Ann"):
        body = {"model": "tts-1", "voice": wanted, "input": "Good morning.", "response_format": "wav"}
        answer = client.post("/audio/speech", json=body)
        assert answer.status_code == 200, answer.text
        assert decode(answer.content, "wav").seconds > 0.5
    assert client.delete(f"{CONSENTS}/{consent['id']}").json()["deleted"]
    error(client.post("/audio/speech", json=body | {"voice": {"id": voice["id"]}}), 404)
    error(client.get(f"{VOICES}/{voice['id']}"), 404)
    error(client.post("/audio/speech", json=body | {"voice": "Ann"}), 400)


def test_what_does_not_say_the_phrase_is_refused(client: httpx2.Client) -> None:
    for text in ("The weather is lovely today.", PHRASES["en"].replace("I consent", "I do not consent")):
        found = error(record(client, say(client, text)), 400)
        assert found["code"] == "consent_phrase_mismatch"
        assert "Expected: 'I am the owner" in found["message"]
        assert found["param"] == "recording"


def test_recordings_that_hold_no_speech_are_refused(client: httpx2.Client) -> None:
    for data in (b"garbage " * 500, wav(silence(3)), wav(tone(3)), b""):
        assert error(record(client, data), 400)["param"] == "recording"


def test_languages_without_a_phrase_are_refused(client: httpx2.Client, phrase: bytes) -> None:
    for language in ("xx", "klingon", "sv-SE", "../../etc"):
        assert error(record(client, phrase, language=language), 400)["param"] == "language"


def test_another_speaker_is_refused(client: httpx2.Client, consent: str) -> None:
    assert error(make(client, JFK.read_bytes(), consent), 400)["code"] == "speaker_mismatch"
    assert error(make(client, say(client, SAMPLE, "nova"), consent), 400)["code"] == "speaker_mismatch"


def test_two_speakers_are_refused(client: httpx2.Client, consent: str) -> None:
    both = [decode(say(client, SAMPLE, voice), "wav").samples for voice in ("cedar", "alloy")]
    data = say_wav(np.concatenate(both))
    assert error(make(client, data, consent), 400)["code"] == "several_speakers"


def say_wav(samples: np.ndarray) -> bytes:
    return wav(samples.astype(np.float32), rate=24_000)


def test_samples_without_enough_speech_are_refused(
    client: httpx2.Client, consent: str, sample: bytes
) -> None:
    spoken = decode(sample, "wav").samples
    for data in (
        b"x" * 100,
        wav(silence(5)),
        wav(tone(5)),
        say_wav(spoken[:12_000]),
        say_wav(np.tile(spoken, 9)),
    ):
        assert error(make(client, data, consent), 400)["param"] == "audio_sample"


def test_uploads_are_bounded(client: httpx2.Client, consent: str) -> None:
    large = b"\0" * (11 * 1024 * 1024)
    error(make(client, large, consent), 413)
    error(record(client, large), 413)


def test_the_quota_is_told(client: httpx2.Client, consent: str, sample: bytes) -> None:
    made = [make(client, sample, consent, f"number {n}") for n in range(3)]
    assert [answer.status_code for answer in made] == [200, 200, 400]
    assert made[2].json()["error"]["code"] == "voice_limit_reached"


@pytest.mark.parametrize("name", ["", "   ", "x" * 257, "x" * 10_000, "\x00"], ids=range(5))
def test_names_that_are_none_are_refused(client: httpx2.Client, consent: str, name: str) -> None:
    assert error(make(client, b"x", consent, name), 400)["param"] == "name"
    assert error(client.post(f"{CONSENTS}/{consent}", json={"name": name}), 400)["param"] == "name"


def test_odd_names_and_ids_are_only_labels(client: httpx2.Client, consent: str) -> None:
    for name in ("../../etc/passwd", "' OR 1=1 --", "%_", "<script>", "é🙂"):
        assert client.post(f"{CONSENTS}/{consent}", json={"name": name}).json()["name"] == name
    raw = b'{"name": "half \\ud800 pair"}'
    assert client.post(f"{CONSENTS}/{consent}", content=raw).status_code == 200
    for odd in ("cons_%25", "..%2F..%2Fetc", "%00", "x" * 5000, "cons_'--"):
        for path in (f"{CONSENTS}/{odd}", f"{VOICES}/voice_{odd}"):
            assert client.get(path).status_code == 404
            assert client.delete(path).status_code == 404


def test_other_projects_see_nothing(
    house: Server, client: httpx2.Client, storage: Path, consent: str, sample: bytes
) -> None:
    voice = make(client, sample, consent).json()["id"]
    done = run_cli(storage, "keys", "create", "b", "--project", "other", settings=house.settings)
    with house.client(done.stdout.strip()) as other:
        wait_until(lambda: other.get("/models").status_code == 200, what="the new key works within seconds")
        assert other.get(CONSENTS).json()["data"] == []
        error(other.get(f"{CONSENTS}/{consent}"), 404)
        error(other.delete(f"{CONSENTS}/{consent}"), 404)
        error(other.post(f"{CONSENTS}/{consent}", json={"name": "mine now"}), 404)
        error(make(other, sample, consent), 404)
        error(other.delete(f"{VOICES}/{voice}"), 404)
        body = {"model": "tts-1", "voice": {"id": voice}, "input": "Hello."}
        error(other.post("/audio/speech", json=body), 404)
    assert client.delete(f"{VOICES}/{voice}").status_code == 200


def test_the_command_line(house: Server, storage: Path, phrase: bytes, sample: bytes, tmp_path: Path) -> None:
    (tmp_path / "p.wav").write_bytes(phrase)
    (tmp_path / "s.wav").write_bytes(sample)

    def run(*arguments: str) -> str:
        done = run_cli(storage, *arguments, "--project", "cli", settings=house.settings)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    consent = run("consents", "create", str(tmp_path / "p.wav"), "--name", "Ann")
    voice = run("voices", "create", str(tmp_path / "s.wav"), "--name", "Ann", "--consent", consent)
    assert voice in run("voices", "list")
    assert consent in run("consents", "list")
    run("voices", "delete", voice)
    run("consents", "delete", consent)
    done = run_cli(storage, "consents", "delete", consent, settings=house.settings)
    assert done.returncode == 1
    assert "no consent" in done.stderr
    assert run_cli(storage, "consents", "phrase", "de").stdout.startswith("Ich bin der Eigentümer")


def audit_of(house: Server) -> list[tuple[str, str, dict[str, Any]]]:
    path = house.settings["STORAGE_DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT action, outcome, details FROM audit ORDER BY seq").fetchall()
    return [(action, outcome, json.loads(details)) for action, outcome, details in rows]


def test_everything_is_in_the_audit(
    house: Server, client: httpx2.Client, phrase: bytes, sample: bytes
) -> None:
    before = len(audit_of(house))
    consent = record(client, phrase).json()["id"]
    error(record(client, say(client, "The weather is lovely today.")), 400)
    client.post(f"{CONSENTS}/{consent}", json={"name": "Bob"})
    error(make(client, JFK.read_bytes(), consent), 400)
    first, second = (make(client, sample, consent).json()["id"] for _ in range(2))
    body = {"model": "tts-1", "voice": first, "input": "Good morning.", "response_format": "pcm"}
    assert client.post("/audio/speech", json=body).status_code == 200
    # The audit row of a use is written a moment later.
    wait_until(lambda: any(action == "voice.use" for action, _, _ in audit_of(house)[before:]))
    client.delete(f"{VOICES}/{first}")
    client.delete(f"{CONSENTS}/{consent}")
    rows = audit_of(house)[before:]
    assert {(action, outcome) for action, outcome, _ in rows} == {
        ("consent.create", "passed"), ("consent.check", "refused"), ("consent.rename", "done"),
        ("voice.check", "refused"), ("voice.create", "passed"), ("voice.use", "done"),
        ("voice.delete", "done"), ("consent.delete", "done"), ("voice.revoke", "done"),
    }  # fmt: skip
    scores = {action: float(details.get("score", 0)) for action, _, details in rows}
    assert scores["voice.check"] < 0.5 <= scores["voice.create"]
    assert second != first
