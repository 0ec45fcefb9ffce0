"""Reads the fields of a form about speakers.

Law: pure; clips are data URLs, and no address is ever fetched.
"""

from __future__ import annotations

import base64
import binascii
import re

from app.domain import SpeakerReference, SpeakerRequest
from app.errors import InvalidValue, UnsupportedValue
from app.wire import request_fields as table
from app.wire.field_reader import FormReader

NAMES, REFERENCES = table.SPEAKER_NAMES.name, table.SPEAKER_CLIPS.name
NAME_CHARACTERS = 100
SPEAKER_FORMATS = ("diarized_json", "text", "srt", "vtt")
"""Formats that can say who speaks."""
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def speaker_request(reader: FormReader, form: str) -> SpeakerRequest | None:
    """The speakers to look for; None if the request does not ask for speakers.

    Raises `InvalidValue` or `UnsupportedValue`.
    """
    asked = reader.flag(table.DIARIZE, default=form == "diarized_json")
    if form != "diarized_json" and not asked:
        return None
    if form not in SPEAKER_FORMATS:
        known = ", ".join(f"'{name}'" for name in SPEAKER_FORMATS)
        raise UnsupportedValue(
            f"The response_format '{form}' cannot say who speaks; with 'diarize' send one of {known}.",
            param="response_format",
        )
    speakers = reader.integer(table.NUM_SPEAKERS)
    least, most = reader.integer(table.MIN_SPEAKERS), reader.integer(table.MAX_SPEAKERS)
    _check_counts(speakers, least, most)
    return SpeakerRequest(speakers=speakers, least=least, most=most, references=_references(reader))


def _check_counts(speakers: int | None, least: int | None, most: int | None) -> None:
    low, high = least or 1, most or int(table.MAX_SPEAKERS.high or 0)
    if low > high:
        raise InvalidValue("'min_speakers' is greater than 'max_speakers'.", param="min_speakers")
    if speakers and not low <= speakers <= high:
        raise InvalidValue(
            "'num_speakers' lies outside 'min_speakers' and 'max_speakers'.", param="num_speakers"
        )


def _references(reader: FormReader) -> tuple[SpeakerReference, ...]:
    names, urls = reader.texts(table.SPEAKER_NAMES), reader.texts(table.SPEAKER_CLIPS)
    reader.drop(table.SPEAKER_CLIPS)  # only the decoded clips are needed from here on
    if len(names) != len(urls):
        raise InvalidValue(
            f"'{NAMES}' has {len(names)} entries and '{REFERENCES}' has {len(urls)}: each known speaker "
            "needs a name and a clip.",
            param=REFERENCES if len(urls) < len(names) else NAMES,
        )
    if len(names) > table.MOST_KNOWN_SPEAKERS:
        raise InvalidValue(f"At most {table.MOST_KNOWN_SPEAKERS} known speakers can be given.", param=NAMES)
    checked = [_name(index, name) for index, name in enumerate(names)]
    if len(set(checked)) < len(checked):
        raise InvalidValue(f"'{NAMES}' has the same name twice.", param=NAMES)
    return tuple(
        SpeakerReference(name, _clip(index, url))
        for index, (name, url) in enumerate(zip(checked, urls, strict=True))
    )


def _name(index: int, name: str) -> str:
    if len(name) > NAME_CHARACTERS or _UNPRINTABLE.search(name):
        raise InvalidValue(
            f"{NAMES}[{index}]: a name is one line of at most {NAME_CHARACTERS} characters.", param=NAMES
        )
    return name


def _clip(index: int, url: str) -> bytes:
    head = _DATA_URL.match(url)
    if not head:
        raise InvalidValue(
            f"{REFERENCES}[{index}]: send the clip as a data URL, 'data:audio/wav;base64,...'.",
            param=REFERENCES,
        )
    try:
        encoded = url[head.end() :].encode("ascii").translate(None, b" \t\r\n\f\v")
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidValue(
            f"{REFERENCES}[{index}]: the data URL's base64 cannot be decoded.", param=REFERENCES
        ) from None
