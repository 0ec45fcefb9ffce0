"""Speech through the whole app, with a fake engine whose voices are tones as long as reading would take."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from typing import Any

import httpx2
import numpy as np
import pytest

from app.audio.measure_loudness import loudness
from app.container import Container
from app.default_aliases import BUILTIN_VOICES
from app.main import create_app
from engines.errors import EngineError, EngineMissing
from engines.types import Pcm
from tests.support.decoded import decode
from tests.support.fake_engines import ToneSynthesizer
from tests.support.waiting import stays, until

URL = "/audio/speech"
LONG = "This is a sentence of a longer story about the sea. " * 20
TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg; codecs=opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


async def speak(client: httpx2.AsyncClient, text: str = "Good morning.", **fields: Any) -> httpx2.Response:
    return await client.post(URL, json={"model": "tts-1", "voice": "alloy", "input": text} | fields)


def error(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:300]
    found: dict[str, Any] = answer.json()["error"]
    assert set(found) == {"message", "type", "param", "code"}
    return found


@pytest.mark.slow
@pytest.mark.covered
@pytest.mark.parametrize("whole", [False, True])
async def test_formats_have_one_duration(client: httpx2.AsyncClient, whole: bool) -> None:
    seconds = []
    for form, media in TYPES.items():
        answer = await speak(client, LONG, response_format=form, stream=not whole)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == media
        assert ("content-length" in answer.headers) == whole
        seconds.append(decode(answer.content, form).seconds)
    assert seconds == pytest.approx([seconds[-1]] * 6, abs=0.02)


async def test_mp3_is_the_default_and_begins_at_once(client: httpx2.AsyncClient) -> None:
    answer = await speak(client)
    assert answer.headers["content-type"] == "audio/mpeg"
    sound = decode(answer.content, "mp3")
    heard = np.flatnonzero(np.abs(sound.samples) > 0.01)
    assert heard[0] / sound.rate < 0.1


@pytest.mark.slow
@pytest.mark.covered
async def test_speed_is_true(client: httpx2.AsyncClient) -> None:
    lengths = {}
    for speed in (0.25, 0.5, 1.0, 2.0, 4.0):
        answer = await speak(client, LONG, response_format="pcm", speed=speed)
        lengths[speed] = decode(answer.content, "pcm").seconds
    for speed, length in lengths.items():
        assert length * speed == pytest.approx(lengths[1.0], rel=0.03)


async def test_voices_are_equally_loud(client: httpx2.AsyncClient) -> None:
    for voice in ("alloy", "echo", "alto"):
        sound = decode((await speak(client, LONG, voice=voice, response_format="wav")).content, "wav")
        assert loudness(Pcm(sound.samples, sound.rate)) == pytest.approx(-16, abs=1)


async def test_each_utterance_is_synthesized_once_and_in_order(
    client: httpx2.AsyncClient, synthesizer: ToneSynthesizer
) -> None:
    assert (await speak(client, LONG)).status_code == 200
    assert " ".join(u.text for u in synthesizer.utterances) == LONG.strip()
    assert {u.voice for u in synthesizer.utterances} == {"high"}


async def test_events(client: httpx2.AsyncClient) -> None:
    answer = await speak(client, LONG, stream_format="sse", response_format="wav")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: ")]
    assert [e["type"] for e in events[:-1]] == ["speech.audio.delta"] * (len(events) - 1)
    data = b"".join(base64.b64decode(e["audio"]) for e in events[:-1])
    sound = decode(data, "wav")
    usage = events[-1]["usage"]
    assert events[-1]["type"] == "speech.audio.done"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] == pytest.approx(10 * sound.seconds, abs=1)
    assert len(events) > 4


async def test_instructions_are_honoured_or_named(client: httpx2.AsyncClient) -> None:
    plain = await speak(client, LONG, response_format="pcm")
    slow = await speak(client, LONG, response_format="pcm", instructions="Speak slowly.")
    odd = await speak(client, LONG, response_format="pcm", instructions="Like a pirate!")
    assert "x-antiphon-ignored" not in slow.headers
    assert len(slow.content) > 1.1 * len(plain.content)
    assert odd.headers["x-antiphon-ignored"] == "instructions"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"input": "   "}, "input"),
    ({"input": "..."}, "input"),
    ({"input": "\u0000\u202e"}, "input"),
    ({"input": "a" * 4097}, "input"),
    ({"input": 7}, "input"),
    ({"voice": "nobody"}, "voice"),
    ({"voice": {"name": "alloy"}}, "voice"),
    ({"voice": None}, "voice"),
    ({"speed": 0.2}, "speed"),
    ({"speed": float("nan")}, "speed"),
    ({"speed": True}, "speed"),
    ({"response_format": "exe"}, "response_format"),
    ({"response_format": ["mp3"]}, "response_format"),
    ({"stream_format": "morse"}, "stream_format"),
    ({"stream": "yes"}, "stream"),
    ({"instructions": "a" * 4097}, "instructions"),
    ({"instructions": 3}, "instructions"),
]


@pytest.mark.parametrize(("change", "param"), BAD)
async def test_bad_values_name_their_field(
    client: httpx2.AsyncClient, change: dict[str, Any], param: str
) -> None:
    body = json.dumps({"model": "tts-1", "voice": "alloy", "input": "Hello."} | change)
    assert error(await client.post(URL, content=body), 400)["param"] == param


async def test_a_model_that_does_not_speak_is_refused(client: httpx2.AsyncClient) -> None:
    told = error(await speak(client, model="whisper-1"), 400)
    assert (told["code"], told["param"]) == ("invalid_value", "model")
    assert "'whisper-1' transcribes" in told["message"]
    assert "'tts-1'" in told["message"]
    told = error(await speak(client, model="nothing"), 404)
    assert told["code"] == "model_not_found"
    assert "`tones`" in told["message"]
    assert "whisper" not in told["message"]
    assert error(await speak(client, model="nothing", voice="voice_1"), 404)["code"] == "model_not_found"


async def test_a_language_that_no_voice_can_speak_is_refused(client: httpx2.AsyncClient) -> None:
    for text in ("你好，世界。今天天气很好。", "今日はいい天気です", "Привет, мир!", "สวัสดี"):
        for voice in ("alloy", "low"):
            told = error(await speak(client, input=text, voice=voice), 400)
            assert (told["code"], told["param"]) == ("unsupported_value", "voice")
            assert f"'{voice}' cannot speak" in told["message"]
    for text in ("Hello, I say 你好 to you.", "😀 3.14", "Grüße aus Köln", "你好 means hello to me"):
        assert (await speak(client, input=text)).status_code == 200


async def test_names_of_engines_are_models(client: httpx2.AsyncClient, container: Container) -> None:
    """The model name `kokoro`, which clients of Kokoro-FastAPI send, is accepted."""
    # The fake engine stands in for every engine, so its model `tones` counts as one of Kokoro's.
    assert (await speak(client, model="kokoro", voice="low")).status_code == 200
    assert "not installed" in error(await speak(client, model="piper"), 503)["message"]
    folder = container.settings.weights_folder / "kokoro-82m"
    folder.mkdir()
    (folder / "tone.onnx").touch()
    names = [model["id"] for model in (await client.get("/models")).json()["data"]]
    assert "kokoro" in names
    assert "piper" not in names
    assert "state" not in (await client.get("/models/kokoro")).json()


async def test_models_as_open_webui_lists_them(client: httpx2.AsyncClient) -> None:
    body = (await client.get("/audio/models")).json()
    assert {"id": "tts-1", "name": "tts-1"} in body["models"]
    assert [model["id"] for model in body["data"]] == [model["id"] for model in body["models"]]
    assert "whisper-1" not in str(body)
    assert "tones" in str(body)


async def test_unknown_custom_voices_are_404(client: httpx2.AsyncClient) -> None:
    for voice in ({"id": "voice_1"}, "voice_1"):
        assert error(await speak(client, voice=voice), 404)["param"] == "voice"


async def test_a_builtin_voice_without_its_own_still_speaks(client: httpx2.AsyncClient) -> None:
    assert (await speak(client, voice="nova")).status_code == 200


async def test_failures_before_the_first_sound_are_envelopes(
    client: httpx2.AsyncClient, synthesizer: ToneSynthesizer
) -> None:
    synthesizer.failure = EngineError("broken")
    assert error(await speak(client), 500)["type"] == "server_error"
    synthesizer.failure = EngineMissing("tones", "tones")
    assert "make install ALL=1" in error(await speak(client), 400)["message"]


async def test_voices_are_listed(client: httpx2.AsyncClient) -> None:
    body = (await client.get("/audio/voices")).json()
    names = [*BUILTIN_VOICES, "low", "high", "alto"]
    assert [voice["id"] for voice in body["data"]] == names
    assert body["voices"] == [{"id": name, "name": name} for name in names]
    assert not body["has_more"]
    first = body["data"][0]
    assert (first["language"], first["gender"], first["model"], first["sample_rate"]) == (
        "en-US", "female", "tones", 24_000,
    )  # fmt: skip
    page = (await client.get("/audio/voices", params={"limit": 2, "after": "echo"})).json()
    assert [v["id"] for v in page["data"]] == ["fable", "onyx"]
    assert [v["id"] for v in page["voices"]] == ["fable", "onyx"]
    assert page["has_more"]
    assert page["first_id"] == "fable"
    for limit in ("0", "1001", "x", "-1", "9" * 50):
        assert error(await client.get("/audio/voices", params={"limit": limit}), 400)["param"] == "limit"
    assert (await client.get("/audio/voices/alto")).json()["language"] == "es"
    error(await client.get("/audio/voices/nobody"), 404)


class Listener:
    """An ASGI client that can read slowly, and can leave."""

    def __init__(self, body: bytes) -> None:
        self.scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "scheme": "http", "path": "/v1/audio/speech", "raw_path": b"", "query_string": b"",
            "root_path": "", "headers": [(b"host", b"test")], "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }  # fmt: skip
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.messages.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.reading = asyncio.Event()
        self.chunks: list[bytes] = []

    async def send(self, message: dict[str, Any]) -> None:
        if body := message.get("body"):
            self.chunks.append(body)
            await self.reading.wait()


def listener(text: str, **fields: Any) -> Listener:
    return Listener(json.dumps({"model": "tts-1", "voice": "alloy", "input": text} | fields).encode())


@pytest.mark.slow
@pytest.mark.covered
async def test_a_slow_client_holds_back_its_own_synthesis_only(
    container: Container, synthesizer: ToneSynthesizer
) -> None:
    app = create_app(container)
    slow, quick = listener(LONG), listener(LONG)
    quick.reading.set()
    first = asyncio.create_task(app(slow.scope, slow.messages.get, slow.send))  # type: ignore[arg-type]  # plain ASGI
    await until(lambda: slow.chunks)
    most = 1 + container.settings.speech.utterances_ahead
    await stays(lambda: 1 <= len(synthesizer.utterances) <= most)
    await asyncio.wait_for(app(quick.scope, quick.messages.get, quick.send), 20)  # type: ignore[arg-type]  # as above
    assert len(slow.chunks) == 1
    slow.reading.set()
    await asyncio.wait_for(first, 20)
    assert len(b"".join(slow.chunks)) == len(b"".join(quick.chunks))


@pytest.mark.parametrize("form", ["audio", "sse"])
async def test_a_client_that_leaves_stops_the_synthesis(
    container: Container, synthesizer: ToneSynthesizer, form: str
) -> None:
    app = create_app(container)
    caller = listener(LONG, stream_format=form)
    threads = threading.active_count()
    request = asyncio.create_task(app(caller.scope, caller.messages.get, caller.send))  # type: ignore[arg-type]  # as above
    await until(lambda: caller.chunks)
    caller.messages.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(request, 10)
    made = len(synthesizer.utterances)
    assert container.runner.snapshot().requests == 0
    await until(lambda: container.runner.snapshot().idle)
    await stays(lambda: len(synthesizer.utterances) == made < 8)
    assert threading.active_count() <= threads + 2 + container.settings.runtime.decode_threads


async def test_a_client_that_leaves_before_the_first_sound(
    container: Container, synthesizer: ToneSynthesizer
) -> None:
    synthesizer.gate.clear()
    caller = listener(LONG)
    app = create_app(container)
    request = asyncio.create_task(app(caller.scope, caller.messages.get, caller.send))  # type: ignore[arg-type]  # as above
    await until(lambda: synthesizer.utterances)
    caller.messages.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(request, 10)
    assert container.runner.snapshot().requests == 0
    synthesizer.gate.set()
    await until(lambda: container.runner.snapshot().idle)
    assert len(synthesizer.utterances) == 1
