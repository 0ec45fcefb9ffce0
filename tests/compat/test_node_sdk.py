"""The official Node SDK against a real server."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.conftest import JFK
from tests.support.node import BIN, installed, node_environment
from tests.support.server import KEY, Server

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def results(server: Server) -> dict[str, Any]:
    done = subprocess.run(
        [BIN / "node", "checks.mjs", server.url, KEY, str(JFK)],
        cwd=installed(),
        env=node_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


def value(results: dict[str, Any], name: str) -> Any:
    assert "failure" not in results[name], results[name]
    return results[name]["value"]


@pytest.mark.parametrize("name", ["json", "buffer", "text", "translation"])
def test_text(results: dict[str, Any], name: str) -> None:
    assert "ask what you can do for your country" in value(results, name)


def test_srt(results: dict[str, Any]) -> None:
    assert value(results, "srt").startswith("1\n00:00:0")


def test_verbose_json(results: dict[str, Any]) -> None:
    body = value(results, "verbose_json")
    assert body["language"] == "english"
    assert isinstance(body["duration"], (int, float))
    assert body["segments"]
    assert body["words"]


def test_chunking_strategy(results: dict[str, Any]) -> None:
    assert value(results, "chunking_strategy") > 10


def test_stream(results: dict[str, Any]) -> None:
    events = value(results, "stream")
    assert events[-1]["type"] == "transcript.text.done"
    assert "".join(event["delta"] for event in events[:-1]) == events[-1]["text"]


def test_models_and_errors(results: dict[str, Any]) -> None:
    assert value(results, "models") == "whisper-1"
    error = value(results, "error")
    assert (error["name"], error["status"], error["code"]) == ("NotFoundError", 404, "model_not_found")
    assert error["request"].startswith("req_")


def test_speech(results: dict[str, Any]) -> None:
    sizes = value(results, "speech")
    assert {form: media for form, (media, _) in sizes.items()} == {
        "mp3": "audio/mpeg",
        "opus": "audio/ogg; codecs=opus",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }
    assert all(size > 2000 for _, size in sizes.values())


def test_speech_events(results: dict[str, Any]) -> None:
    kinds = value(results, "speech_events")
    assert kinds[0] == "speech.audio.delta"
    assert kinds[-1] == "speech.audio.done"
