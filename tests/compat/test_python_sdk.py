"""The official Python SDK against a real server, sync, async and streaming; strict about what it parses."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import jiwer
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from app.text.consent_phrases import PHRASES
from tests.conftest import JFK, JFK_TEXT
from tests.support.server import KEY, Server

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key=KEY, max_retries=0, _strict_response_validation=True) as made:
        yield made


def word_errors(text: str) -> float:
    plain = jiwer.Compose(
        [jiwer.ToLowerCase(), jiwer.RemovePunctuation(), jiwer.Strip(), jiwer.ReduceToListOfListOfWords()]
    )
    return float(jiwer.wer(JFK_TEXT, text, reference_transform=plain, hypothesis_transform=plain))


def test_json(client: OpenAI) -> None:
    with JFK.open("rb") as file:
        answer = client.audio.transcriptions.create(file=file, model="whisper-1")
    assert word_errors(answer.text) <= 0.05


def test_text_is_a_string(client: OpenAI) -> None:
    for form in ("text", "srt", "vtt"):
        answer = client.audio.transcriptions.create(file=JFK, model="whisper-1", response_format=form)
        assert isinstance(answer, str)
        assert "country" in answer
        assert not answer.startswith('"')


def test_verbose_json(client: OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        file=JFK,
        model="whisper-1",
        response_format="verbose_json",
        language="en",
        prompt="A speech.",
        temperature=0,
        timestamp_granularities=["word", "segment"],
    )
    assert answer.language == "english"
    assert answer.duration == 11.0
    assert answer.segments
    assert answer.words
    assert 10 < answer.words[-1].end <= 11


def test_logprobs_and_token_usage(client: OpenAI) -> None:
    answer = client.audio.transcriptions.create(file=JFK, model="gpt-4o-transcribe", include=["logprobs"])
    assert answer.logprobs
    assert "".join(entry.token or "" for entry in answer.logprobs).strip() == answer.text
    assert answer.usage
    assert answer.usage.type == "tokens"


def test_streaming(client: OpenAI) -> None:
    with client.audio.transcriptions.create(file=JFK, model="gpt-4o-mini-transcribe", stream=True) as stream:
        events = list(stream)
    assert events[-1].type == "transcript.text.done"
    assert word_errors(events[-1].text) <= 0.05
    assert (
        "".join(event.delta for event in events[:-1] if event.type == "transcript.text.delta")
        == events[-1].text
    )


async def test_async(server: Server) -> None:
    async with AsyncOpenAI(base_url=server.url, api_key=KEY, max_retries=0) as client:
        stream = await client.audio.transcriptions.create(file=JFK, model="whisper-1", stream=True)
        types = [event.type async for event in stream]
        answer = await client.audio.transcriptions.create(file=JFK, model="whisper-1")
        await stream.close()
    assert types[-1] == "transcript.text.done"
    assert word_errors(answer.text) <= 0.05


def test_translations(client: OpenAI) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        answer = client.audio.translations.create(file=JFK, model="whisper-1")
    assert "country" in answer.text


def test_models(client: OpenAI) -> None:
    assert "whisper-1" in {model.id for model in client.models.list()}
    assert client.models.retrieve("gpt-4o-transcribe").object == "model"


def test_errors_are_the_sdks_own(client: OpenAI, server: Server) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.audio.transcriptions.create(file=JFK, model="nope")
    assert missing.value.code == "model_not_found"
    assert missing.value.request_id
    with pytest.raises(openai.BadRequestError) as bad:
        client.audio.transcriptions.create(file=b"no audio", model="whisper-1")
    assert bad.value.param == "file"
    with (
        OpenAI(base_url=server.url, api_key="sk-wrong-0123456789", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        stranger.models.list()
    assert refused.value.code == "invalid_api_key"


def heard(client: OpenAI, data: bytes, name: str) -> str:
    answer = client.audio.transcriptions.create(file=(name, data), model="whisper-1", language="en")
    return answer.text.lower().strip(" .")


def test_speech_is_understood(client: OpenAI) -> None:
    said = "The river runs quietly through the green valley"
    for voice, form in (("cedar", "mp3"), ("alloy", "opus"), ("onyx", "flac")):
        answer = client.audio.speech.create(model="tts-1", voice=voice, input=said, response_format=form)  # type: ignore[arg-type]  # a checked choice
        assert heard(client, answer.content, f"a.{form}") == said.lower()


def test_speech_is_streamed(client: OpenAI) -> None:
    said = "Good morning, dear friend, and thank you for the letter. " * 10
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="cedar", input=said, response_format="pcm"
    ) as response:
        sizes = [len(data) for data in response.iter_bytes()]
    assert len(sizes) > 5
    assert response.headers["transfer-encoding"] == "chunked"


def test_unknown_voices_are_a_bad_request(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(model="tts-1", voice="nobody", input="Hello.")
    assert caught.value.param == "voice"


def test_consents_and_voices(client: OpenAI) -> None:
    def say(text: str) -> bytes:
        answer = client.audio.speech.create(model="tts-1", voice="cedar", input=text, response_format="flac")
        return answer.content

    consent = client.audio.voice_consents.create(
        name="Joe", language="en-US", recording=("r.flac", say(PHRASES["en"]), "audio/flac")
    )
    assert client.audio.voice_consents.retrieve(consent.id).name == "Joe"
    assert client.audio.voice_consents.update(consent.id, name="Joseph").name == "Joseph"
    assert consent.id in [one.id for one in client.audio.voice_consents.list(limit=1)]
    sample = ("s.flac", say("The library closes at nine in the evening, my friend."), "audio/flac")
    voice = client.audio.voices.create(name="Joe", consent=consent.id, audio_sample=sample)
    answer = client.audio.speech.create(
        model="gpt-4o-mini-tts", voice={"id": voice.id}, input="Good morning, dear friend."
    )
    assert "good morning" in heard(client, answer.content, "a.mp3")
    assert client.audio.voices.delete(voice.id).deleted
    assert client.audio.voice_consents.delete(consent.id).deleted
