"""The columns of the table of request fields, and the types of their values.

Law: types only; the rows are in `request_fields.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.domain import AudioFormat

Endpoint = Literal[
    "transcriptions", "translations", "speech", "voices", "voice_consents", "consent",
    "list_voices", "list_consents", "render",
]  # fmt: skip
"""`consent`: rename a consent. `render`: edited segments to a file. `list_...`: query parameters of lists."""
FieldKind = Literal[
    "file", "text", "texts", "choice", "choices", "flag", "number", "integer",
    "strategy", "clips", "voice", "id", "segments",
]  # fmt: skip
ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
RenderFormat = Literal["srt", "vtt", "text", "json", "docx"]
FORMATS: tuple[ResponseFormat, ...] = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
TRANSLATION_FORMATS: tuple[ResponseFormat, ...] = ("json", "text", "srt", "verbose_json", "vtt")
RENDER_FORMATS: tuple[RenderFormat, ...] = ("srt", "vtt", "text", "json", "docx")
AUDIO_FORMATS: tuple[AudioFormat, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
LISTS = ("texts", "choices", "clips")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPart:
    """One number of a field that is an object."""

    name: str
    kind: Literal["number", "integer"]
    low: float
    high: float
    default: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestField:
    """One field, as clients see it."""

    name: str
    """Name of the field, without the brackets that lists have in forms."""
    kind: FieldKind
    endpoints: tuple[Endpoint, ...]
    sentence: str
    """What the field does. Bounds, choices and defaults are added from the other columns."""
    required: bool = False
    low: float | None = None
    high: float | None = None
    high_setting: str = ""
    """The setting that bounds it from above: a number, a count of characters, or bytes of a file."""
    choices: tuple[str, ...] = ()
    parts: tuple[ObjectPart, ...] = ()
    """The numbers that the field may have as an object, beside its `type`."""
    default: str | float | bool | None = None
    default_setting: str = ""
    """The setting whose value is the default."""
    most: int | None = None
    """The most entries of a list."""
    extension: tuple[Endpoint, ...] = ()
    """The endpoints where the field is an extension: OpenAI's API does not have it there."""

    @property
    def form_name(self) -> str:
        """Name of the field in a form, as the official SDKs write it."""
        return f"{self.name}[]" if self.kind in LISTS and self.extension != self.endpoints else self.name
