"""Every field of every request: the one table that parser, OpenAPI document and docs/api.md are made from.

Law: data only. A parser asks for a row (`app.wire.field_reader`), so a field that is not here cannot be read.
Tests hold that every row is read, that the document has it and that the page shows it.
Bounds and defaults that are settings are named (`limits.prompt_characters`), never copied: in a sentence, the
name of a setting in backquotes stands for its value.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from app.settings import Settings
from app.wire.field_row import (
    AUDIO_FORMATS,
    FORMATS,
    RENDER_FORMATS,
    TRANSLATION_FORMATS,
    Endpoint,
    ObjectPart,
    RequestField,
)

MOST_KNOWN_SPEAKERS = 4
"""The most known speakers of one request, as in OpenAI's API."""
MOST_HOTWORDS = 200
"""The most hot words in one request; the model uses about a hundred tokens of them."""
MOST_SEGMENTS = 20_000
MOST_WORDS = 100_000
"""The most words of all segments together: about ten hours of speech. Python's garbage collector stops all
threads while it looks through all objects; with so many words it takes less than 100 ms.
"""
SPEECH_TO_TEXT: tuple[Endpoint, ...] = ("transcriptions", "translations")
TRANSCRIPTIONS: tuple[Endpoint, ...] = ("transcriptions",)
SPEECH: tuple[Endpoint, ...] = ("speech",)
LISTINGS: tuple[Endpoint, ...] = ("list_voices", "list_consents")

# Each row is one paragraph; the formatter is off so that it stays one.
# fmt: off
FILE = RequestField(
    name="file", kind="file", endpoints=SPEECH_TO_TEXT, required=True, high_setting="limits.upload_bytes",
    sentence="Audio, or video with audio, in any format that FFmpeg decodes; 0.1 to "
    "`limits.audio_seconds` seconds long.",
)
MODEL = RequestField(
    name="model", kind="id", endpoints=SPEECH_TO_TEXT, required=True,
    sentence="Any transcription model that `GET /v1/models` lists.",
)
LANGUAGE = RequestField(
    name="language", kind="text", endpoints=TRANSCRIPTIONS,
    sentence="Language of the speech: a BCP 47 tag (`de`, `de-AT`) or an English name (`german`); "
    "absent: detected.",
)
LANGUAGES = RequestField(
    name="languages", kind="texts", endpoints=TRANSCRIPTIONS,
    sentence="A single language counts as `language`; with several, the language is detected.",
)
PROMPT = RequestField(
    name="prompt", kind="text", endpoints=SPEECH_TO_TEXT, high_setting="limits.prompt_characters",
    sentence="Text that the speech is assumed to follow. The model uses its last 223 tokens.",
)
KEYWORDS = RequestField(
    name="keywords", kind="texts", endpoints=SPEECH_TO_TEXT, extension=("translations",),
    sentence=f"Words to favour. Only the first {MOST_HOTWORDS} count, together with `hotwords`.",
)
HOTWORDS = RequestField(
    name="hotwords", kind="texts", endpoints=SPEECH_TO_TEXT, extension=SPEECH_TO_TEXT,
    sentence="Words to favour: a list, or one text with commas. The model uses about 100 tokens of "
    f"them. Only the first {MOST_HOTWORDS} words count.",
)
RESPONSE_FORMAT = RequestField(
    name="response_format", kind="choice", endpoints=TRANSCRIPTIONS, choices=FORMATS, default="json",
    sentence="Format of the answer.",
)
TRANSLATION_FORMAT = RequestField(
    name="response_format", kind="choice", endpoints=("translations",), choices=TRANSLATION_FORMATS,
    default="json",
    sentence="Format of the answer.",
)
GRANULARITIES = RequestField(
    name="timestamp_granularities", kind="choices", endpoints=TRANSCRIPTIONS, choices=("word", "segment"),
    default="segment",
    sentence="What `verbose_json` has times for. With `stream`, `word` gives each delta its `start`, "
    "`end` and `words` (an extension), and text leaves before its speaker is known.",
)
INCLUDE = RequestField(
    name="include", kind="choices", endpoints=TRANSCRIPTIONS,
    choices=("logprobs", "progress", "peaks"),
    sentence="`logprobs`: token, bytes and log-probability of every token. Where CTranslate2 "
    "decodes, as on a GPU, the speech is then decoded greedily, since its beams have no such "
    "probabilities. With `stream`, two extensions: "
    "`progress` gives `antiphon.progress` events, `peaks` gives `antiphon.peaks` events.",
)
OWN_INCLUDES = frozenset({"progress", "peaks"})
"""Values of `include` that OpenAI's API does not have; `compat.strict` refuses them."""
TEMPERATURE = RequestField(
    name="temperature", kind="number", endpoints=SPEECH_TO_TEXT, low=0, high=1, default=0,
    sentence="0: no sampling, but failed parts are tried again at 0.2, 0.4 ... 1.0. Above 0: sampled"
    " at this value; where Whisper runs on OpenVINO, the same sound has the same text each time.",
)
STREAM = RequestField(
    name="stream", kind="flag", endpoints=SPEECH_TO_TEXT, extension=("translations",), default=False,
    sentence="`true`: server-sent events, whatever the model and the format.",
)
CHUNKING = RequestField(
    name="chunking_strategy", kind="strategy", endpoints=SPEECH_TO_TEXT, extension=("translations",),
    choices=("auto", "server_vad"),
    parts=(
        ObjectPart(name="threshold", kind="number", low=0, high=1, default=0.5),
        ObjectPart(name="prefix_padding_ms", kind="integer", low=0, high=5000, default=300),
        ObjectPart(name="silence_duration_ms", kind="integer", low=0, high=10_000, default=200),
    ),
    sentence="How speech is told from silence: `auto`, or an object of the type `server_vad`.",
)
VAD_FILTER = RequestField(
    name="vad_filter", kind="flag", endpoints=SPEECH_TO_TEXT, extension=SPEECH_TO_TEXT,
    default_setting="transcription.vad",
    sentence="`false`: transcribe silence too.",
)
BEAM_SIZE = RequestField(
    name="beam_size", kind="integer", endpoints=SPEECH_TO_TEXT, extension=SPEECH_TO_TEXT, low=1, high=20,
    default_setting="transcription.beam_size",
    sentence="Beams of the search.",
)
SPEAKER_NAMES = RequestField(
    name="known_speaker_names", kind="texts", endpoints=TRANSCRIPTIONS, most=MOST_KNOWN_SPEAKERS,
    sentence="Names of known speakers, one for each clip.",
)
SPEAKER_CLIPS = RequestField(
    name="known_speaker_references", kind="clips", endpoints=TRANSCRIPTIONS, most=MOST_KNOWN_SPEAKERS,
    high_setting="limits.reference_bytes",
    sentence="A clip of each known speaker, 2 to 10 seconds, as a data URL "
    "(`data:audio/wav;base64,...`). An address is never fetched.",
)
DIARIZE = RequestField(
    name="diarize", kind="flag", endpoints=TRANSCRIPTIONS, extension=TRANSCRIPTIONS,
    sentence="`true`: `text`, `srt` and `vtt` say who speaks, too.",
)
NUM_SPEAKERS, MIN_SPEAKERS, MAX_SPEAKERS = (
    RequestField(
        name=f"{which}_speakers", kind="integer", endpoints=TRANSCRIPTIONS, extension=TRANSCRIPTIONS, low=1,
        high=50,
        sentence=f"{what} speakers, where it is known. With `diarized_json` or `diarize`.",
    )
    for which, what in (("num", "Number of"), ("min", "Least number of"), ("max", "Greatest number of"))
)
LINE_WIDTH = RequestField(
    name="max_line_width", kind="integer", endpoints=SPEECH_TO_TEXT, extension=SPEECH_TO_TEXT, low=10,
    high=200, default_setting="subtitles.line_width",
    sentence="Columns of a line in `srt` and `vtt`.",
)
LINE_COUNT = RequestField(
    name="max_line_count", kind="integer", endpoints=SPEECH_TO_TEXT, extension=SPEECH_TO_TEXT, low=1,
    high=5, default_setting="subtitles.lines",
    sentence="Lines of a cue.",
)
CUE_SECONDS = RequestField(
    name="max_cue_seconds", kind="number", endpoints=SPEECH_TO_TEXT, extension=SPEECH_TO_TEXT, low=1,
    high=60, default_setting="subtitles.longest_seconds",
    sentence="Longest time a cue is shown, in seconds.",
)
SPEECH_MODEL = RequestField(
    name="model", kind="id", endpoints=SPEECH, required=True,
    sentence="`tts-1` takes the fastest engine that has the voice, `tts-1-hd` and `gpt-4o-mini-tts` the best "
    "one; `kokoro` and `piper` take the voices of that engine; a local model speaks with its own voices.",
)
INPUT = RequestField(
    name="input", kind="text", endpoints=SPEECH, required=True, high_setting="speech.input_characters",
    sentence="The text. Sentences, numbers, dates, units, addresses and emoji are read as people "
    "read them; SSML tags and control characters are left out.",
)
VOICE = RequestField(
    name="voice", kind="voice", endpoints=SPEECH, required=True,
    sentence="A name that `GET /v1/audio/voices` lists, or a custom voice as `{\"id\": \"voice_...\"}`. Text "
    "mostly in a script that the voice cannot read is refused with the names of voices that can; OpenAI's "
    "names are then spoken by one of those.",
)
AUDIO_FORMAT = RequestField(
    name="response_format", kind="choice", endpoints=SPEECH, choices=AUDIO_FORMATS, default="mp3",
    sentence="Format of the audio, 24 kHz mono.",
)
SPEED = RequestField(
    name="speed", kind="number", endpoints=SPEECH, low=0.25, high=4, default=1,
    sentence="Tempo; the pitch stays.",
)
INSTRUCTIONS = RequestField(
    name="instructions", kind="text", endpoints=SPEECH, high=4096,
    sentence='Pace, pauses and loudness in plain English are followed ("Speak slowly."). What is not'
    " followed is named in the header `x-antiphon-ignored`.",
)
STREAM_FORMAT = RequestField(
    name="stream_format", kind="choice", endpoints=SPEECH, choices=("audio", "sse"), default="audio",
    sentence="`sse`: `speech.audio.delta` events with base64 bytes of the file, then "
    "`speech.audio.done` with the usage.",
)
WHOLE = RequestField(
    name="stream", kind="flag", endpoints=SPEECH, extension=SPEECH, default=True,
    sentence="`false`: one complete, seekable file that tells its length.",
)
NAME = RequestField(
    name="name", kind="text", endpoints=("voices", "voice_consents", "consent"), required=True, high=256,
    sentence="A name for people.",
)
CONSENT_LANGUAGE = RequestField(
    name="language", kind="text", endpoints=("voice_consents",), required=True,
    sentence="BCP 47 tag of the language in which the phrase is said.",
)
RECORDING = RequestField(
    name="recording", kind="file", endpoints=("voice_consents",), required=True,
    high_setting="voices.upload_bytes",
    sentence="The speaker says the consent phrase, and nothing else.",
)
VOICE_TYPE = RequestField(
    name="type", kind="choice", endpoints=("voices",), choices=("audio_sample", "prompt"),
    default="audio_sample",
    sentence="`prompt` is refused: voices are made from samples only.",
)
CONSENT = RequestField(
    name="consent", kind="id", endpoints=("voices",), required=True,
    sentence="Id of the speaker's consent.",
)
SAMPLE = RequestField(
    name="audio_sample", kind="file", endpoints=("voices",), required=True,
    high_setting="voices.upload_bytes",
    sentence="`voices.shortest_seconds` to `voices.longest_seconds` seconds of speech, of the same speaker "
    "alone.",
)
AFTER = RequestField(
    name="after", kind="id", endpoints=LISTINGS,
    sentence="Id of the last item of the page before.",
)
LIMIT = RequestField(
    name="limit", kind="integer", endpoints=("list_consents",), low=1, high=100, default=20,
    sentence="Items of a page.",
)
VOICE_LIMIT = RequestField(
    name="limit", kind="integer", endpoints=("list_voices",), low=1, high=1000,
    sentence="Items of a page; absent: all of them.",
)
SEGMENTS = RequestField(
    name="segments", kind="segments", endpoints=("render",), required=True, most=MOST_SEGMENTS,
    sentence="What was said: `start` and `end` in seconds, `text`, and if they are known `speaker` and "
    f"`words` (`word`, `start`, `end`; at most {MOST_WORDS:,} in all).",
)
RENDER_FORMAT = RequestField(
    name="format", kind="choice", endpoints=("render",), required=True, choices=RENDER_FORMATS,
    sentence="Format of the file.",
)
TITLE = RequestField(
    name="title", kind="text", endpoints=("render",), high=500,
    sentence="Title of the document.",
)
DOCUMENT_LANGUAGE = RequestField(
    name="language", kind="text", endpoints=("render",),
    sentence="BCP 47 tag of the text.",
)
# fmt: on

FIELDS: tuple[RequestField, ...] = tuple(
    row for row in list(globals().values()) if isinstance(row, RequestField)
)


def of(endpoint: Endpoint) -> tuple[RequestField, ...]:
    """The fields of an endpoint, in the order in which docs/api.md lists them."""
    return tuple(row for row in FIELDS if endpoint in row.endpoints)


def setting(settings: Settings, name: str) -> Any:
    """The value of a setting by its dotted name."""
    return attrgetter(name)(settings)
