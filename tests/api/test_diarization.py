"""Who spoke when, through the whole app, with tones as voices and numbers as words."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import numpy as np
import pytest

from app.audio.cut_windows import EverythingIsSpeech
from app.audio.decode import open_audio
from app.container import Container
from app.main import create_app
from app.settings import Settings
from engines.errors import EngineError, EngineMissing, WeightsBroken
from tests.support.fake_diarizer import ToneDiarization, ToneDiarizer
from tests.support.fake_engines import EchoTranscriber, engines_of
from tests.support.migrated_database import migrated
from tests.support.sound import Floats, encode, noise, silence, tone, wav
from tests.support.waiting import until

URL = "/audio/transcriptions"
LOW, HIGH = 300.0, 1200.0


def talk(*parts: tuple[float, float]) -> Floats:
    """A conversation. `parts`: seconds and pitch of each turn; pitch 0 is silence."""
    return np.concatenate([tone(seconds, hertz) if hertz else silence(seconds) for seconds, hertz in parts])


TALK = talk((3, LOW), (2, HIGH), (4, LOW))


@pytest.fixture
def diarizer() -> ToneDiarizer:
    return ToneDiarizer()


@pytest.fixture
async def container(
    settings: Settings, engine: EchoTranscriber, diarizer: ToneDiarizer
) -> AsyncIterator[Container]:
    async with served(settings, engine, diarizer) as made:
        yield made


@asynccontextmanager
async def served(
    settings: Settings, engine: EchoTranscriber, diarizer: ToneDiarizer
) -> AsyncIterator[Container]:
    migrated(settings.database_url)
    (settings.weights_folder / "tones-diarizer").mkdir(parents=True)
    chosen = settings.model_copy(
        update={
            "diarization": settings.diarization.model_copy(update={"model": str(settings.weights_folder)})
        }
    )
    made = Container(chosen, lambda _: engines_of(engine), diarizers=lambda _: ToneDiarization(diarizer))
    made.runner.detect = EverythingIsSpeech  # type: ignore[method-assign]  # tones are no speech to the real one
    await made.open()
    yield made
    engine.gate.set()
    diarizer.gate.set()
    await made.close()


async def post(
    client: httpx2.AsyncClient,
    samples: Floats = TALK,
    lists: dict[str, list[str]] | None = None,
    **fields: str,
) -> httpx2.Response:
    data = {"model": "whisper-1", "response_format": "diarized_json", **fields, **(lists or {})}
    return await client.post(URL, data=data, files={"file": ("a.wav", wav(samples), "audio/wav")})


def url(data: bytes, mime: str = "audio/wav") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def known(*pairs: tuple[str, bytes]) -> dict[str, list[str]]:
    return {
        "known_speaker_names[]": [name for name, _ in pairs],
        "known_speaker_references[]": [url(data) for _, data in pairs],
    }


async def test_diarized_json(client: httpx2.AsyncClient) -> None:
    answer = await post(client)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["text"] == "A: word0 word1 word2\nB: word3 word4\nA: word5 word6 word7 word8"
    assert [s["speaker"] for s in body["segments"]] == ["A", "B", "A"]
    assert [s["id"] for s in body["segments"]] == ["seg_001", "seg_002", "seg_003"]
    assert body["usage"] == {"type": "duration", "seconds": 9}
    assert body["duration"] == 9.0
    assert body["task"] == "transcribe"


async def test_the_diarize_model_answers_plain_formats_without_looking_for_speakers(
    client: httpx2.AsyncClient, diarizer: ToneDiarizer
) -> None:
    answer = await post(client, response_format="json")
    assert answer.json()["text"].startswith("word0")
    assert not diarizer.assembled


@pytest.mark.parametrize(
    ("form", "holds"),
    [
        ("text", "A: word0 word1 word2\nB: word3 word4\n"),
        ("vtt", "<v B>word3 word4\n"),
        ("srt", "B: word3 word4\n"),
    ],
)
async def test_other_formats_with_speakers(client: httpx2.AsyncClient, form: str, holds: str) -> None:
    answer = await post(client, response_format=form, diarize="true")
    assert answer.status_code == 200
    assert holds in answer.text


async def test_known_speakers_have_their_names(client: httpx2.AsyncClient) -> None:
    clip = encode(tone(3, HIGH), "ogg", "libopus")
    answer = await post(client, lists=known(("Anna", clip), ("Ben", wav(tone(3, 2500)))))
    assert [s["speaker"] for s in answer.json()["segments"]] == ["A", "Anna", "A"]


async def test_counts_reach_the_engine(client: httpx2.AsyncClient, diarizer: ToneDiarizer) -> None:
    await post(client, num_speakers="3", min_speakers="2", max_speakers="4")
    asked = diarizer.assembled[0]
    assert (asked.speakers, asked.least, asked.most) == (3, 2, 4)


@pytest.mark.parametrize(
    ("clip", "says"),
    [
        (wav(silence(4)), "0.0 seconds of speech"),
        (wav(tone(1)), "1.0 seconds; 2 to 10 are needed"),
        (wav(tone(12)), "longer than 10 seconds"),
        (b"no sound at all", "Invalid file format"),
        (b"", "Invalid file format"),
        (wav(talk((3, LOW), (3, HIGH))), "more than one speaker"),
    ],
)
async def test_bad_clips_are_told_with_their_index(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, clip: bytes, says: str
) -> None:
    answer = await post(client, lists=known(("Anna", wav(tone(3))), ("Ben", clip)))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert "known_speaker_references[1]: " in error["message"]
    assert says in error["message"]
    assert error["param"] == "known_speaker_references"


async def test_a_clip_larger_than_other_fields_may_be(client: httpx2.AsyncClient) -> None:
    clip = encode(tone(10, HIGH), "wav", "pcm_s16le", rate=96_000, layout="stereo")
    assert len(clip) > 3_000_000
    answer = await post(client, lists=known(("Anna", clip)))
    assert answer.status_code == 200
    too_large = await post(client, prompt="x" * 2_000_000)
    assert too_large.status_code == 400


async def test_stream(client: httpx2.AsyncClient) -> None:
    answer = await post(client, stream="true")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    kinds = [event["type"].rpartition(".")[2] for event in events]
    assert kinds == ["delta", "segment"] * 3 + ["done"]
    segments = [event for event in events if event["type"] == "transcript.text.segment"]
    deltas = [event for event in events if event["type"] == "transcript.text.delta"]
    assert [delta["segment_id"] for delta in deltas] == [segment["id"] for segment in segments]
    assert events[-1]["text"] == "".join(delta["delta"] for delta in deltas)
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_a_stream_shows_that_work_goes_on(client: httpx2.AsyncClient, diarizer: ToneDiarizer) -> None:
    diarizer.gate.clear()
    asyncio.get_running_loop().call_later(0.5, diarizer.gate.set)
    long = talk(*[(10, LOW), (10, HIGH)] * 5)
    answer = await post(client, long, stream="true")
    before = answer.text.partition("data: ")[0]
    told = [int(seconds) for seconds in re.findall(r"^: (\d+) of 100 seconds$", before, re.MULTILINE)]
    assert told
    assert told == sorted(told)
    assert told[-1] <= 100
    assert len([line for line in answer.text.splitlines() if '"transcript.text.segment"' in line]) >= 10


@pytest.mark.parametrize("stream", ["false", "true"])
async def test_failures_are_envelopes(
    client: httpx2.AsyncClient, diarizer: ToneDiarizer, stream: str
) -> None:
    diarizer.failure = EngineError("The speakers of this audio could not be told apart.")
    answer = await post(client, stream=stream)
    assert answer.status_code == (200 if stream == "true" else 500)
    assert '"type":"server_error"' in answer.text
    assert "segment" not in answer.text


async def test_without_the_engine_the_extra_is_named(settings: Settings, engine: EchoTranscriber) -> None:
    """The error names the missing library, even if the weights are missing too."""
    missing = ToneDiarization(ToneDiarizer(), EngineMissing("pyannote", "diarization"))
    migrated(settings.database_url)
    made = Container(settings, lambda _: engines_of(engine), diarizers=lambda _: missing)
    await made.open()
    transport = httpx2.ASGITransport(create_app(made), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        for stream in ("false", "true"):
            answer = await post(client, stream=stream)
            assert answer.status_code == 400
            assert "[diarization]" in answer.json()["error"]["message"]
            assert answer.json()["error"]["code"] == "engine_unavailable"
    assert made.runner.snapshot().requests == 0
    await made.close()


async def test_without_the_weights_the_command_is_named(
    settings: Settings, engine: EchoTranscriber, diarizer: ToneDiarizer
) -> None:
    migrated(settings.database_url)
    made = Container(settings, lambda _: engines_of(engine), diarizers=lambda _: ToneDiarization(diarizer))
    await made.open()
    transport = httpx2.ASGITransport(create_app(made), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        answer = await post(client)
    assert answer.status_code == 503
    assert "antiphon models pull pyannote-starter" in answer.json()["error"]["message"]
    await made.close()


def streamed(answer: httpx2.Response) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]


WORDS = {"timestamp_granularities[]": ["word"]}


async def test_text_leaves_before_its_speaker_is_known(
    client: httpx2.AsyncClient, diarizer: ToneDiarizer
) -> None:
    answer = await post(client, stream="true", lists=WORDS)
    kinds = [event["type"].rpartition(".")[2] for event in streamed(answer)]
    assert kinds == ["delta", "segment", "segment", "segment", "done"]
    assert streamed(answer)[-1]["text"] == "word0 word1 word2 word3 word4 word5 word6 word7 word8"


async def test_text_stays_where_speakers_cannot_be_told(
    client: httpx2.AsyncClient, diarizer: ToneDiarizer
) -> None:
    diarizer.failure = EngineError("The speakers of this audio could not be told apart.")
    events = streamed(await post(client, stream="true", lists=WORDS))
    assert events[0]["delta"].startswith("word0 word1")
    assert list(events[-1]) == ["error"]
    assert len(events) == 2


@pytest.mark.slow
@pytest.mark.covered
async def test_a_deadline_ends_the_search_for_speakers_and_keeps_the_text(
    settings: Settings, engine: EchoTranscriber, diarizer: ToneDiarizer
) -> None:
    limits = settings.limits.model_copy(update={"request_seconds": 3.0})
    diarizer.gate.clear()
    async with served(settings.model_copy(update={"limits": limits}), engine, diarizer) as made:
        transport = httpx2.ASGITransport(create_app(made), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
            stream, whole = await asyncio.gather(post(client, stream="true", lists=WORDS), post(client))
        assert whole.status_code == 408
        events = streamed(stream)
        assert events[0]["delta"].startswith("word0 word1")
        assert list(events[-1]) == ["error"]
        assert made.runner.snapshot().requests == 0


async def test_text_comes_where_the_diarizer_cannot_be_loaded(
    settings: Settings, engine: EchoTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads the sound for the diarizer, and the transcription may lead it by a second only."""
    monkeypatch.setattr("app.services.transcription.MOST_LEAD_SECONDS", 1.0)
    migrated(settings.database_url)
    broken = ToneDiarization(ToneDiarizer(), WeightsBroken("The checkpoint cannot be read."))
    (settings.weights_folder / "pyannote-starter").mkdir(parents=True)
    for file in ("segmentation.bin", "campplus_cn_en_common.pt"):
        (settings.weights_folder / "pyannote-starter" / file).write_bytes(b"damaged")
    made = Container(settings, lambda _: engines_of(engine), diarizers=lambda _: broken)
    made.runner.detect = EverythingIsSpeech  # type: ignore[method-assign]
    await made.open()
    transport = httpx2.ASGITransport(create_app(made), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        async with asyncio.timeout(30):
            events = streamed(await post(client, tone(120), stream="true", lists=WORDS))
        whole = await post(client)
    assert "word119" in "".join(event.get("delta", "") for event in events)
    assert events[-1]["error"]["code"] == "model_unavailable"
    assert whole.status_code == 503
    assert made.runner.snapshot().requests == 0
    await made.close()


async def test_an_upload_is_decoded_once(
    client: httpx2.AsyncClient, diarizer: ToneDiarizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        opened.append(arguments)
        return open_audio(*arguments, **options)

    monkeypatch.setattr("app.services.steps.open_upload.open_audio", counted)
    body = (await post(client)).json()
    assert [segment["speaker"] for segment in body["segments"]] == ["A", "B", "A"]
    assert len(opened) == 1
    assert diarizer.fed == len(TALK)


async def test_damaged_audio_and_silence(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        URL,
        data={"model": "whisper-1", "response_format": "diarized_json"},
        files={"file": ("a.wav", b"RIFF nothing", "audio/wav")},
    )
    assert answer.status_code == 400
    body = (await post(client, silence(3))).json()
    assert body["segments"] == []
    assert body["text"] == ""


async def test_a_client_that_leaves_stops_both_kinds_of_work(
    container: Container, engine: EchoTranscriber, diarizer: ToneDiarizer
) -> None:
    engine.gate.clear()
    diarizer.gate.clear()
    transport = httpx2.ASGITransport(create_app(container), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/v1") as client:
        request = asyncio.create_task(post(client, noise(60)))
        await until(lambda: engine.batches and diarizer.assembled)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
    engine.gate.set()
    diarizer.gate.set()
    await until(lambda: container.runner.snapshot().requests == 0)
    await until(lambda: container.runner.snapshot().idle)
