"""Random texts to a real server with a real voice: each answer is sound or an error envelope, never an
internal error.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.decoded import decode
from tests.support.server import Server

pytestmark = pytest.mark.real

NASTY = [
    "a" * 500,
    "שלום עולם, hello!",
    "\u202eevil\u202c \ufeff\u200b",
    "<speak><break time='1s'/>Hi</speak>",
    "<script>alert(1)</script>",
    "🙂🙂🙂",
    "👩‍👩‍👧‍👦",
    "ﷺ",
    "1/2 + ³√x = ∑ 5×10⁻³ °C",
    "%n%s\\x00\n\t\r",
    "[[hˈɛloʊ]] {{x}}",
    "ÿ" * 300,
    "漢字とカタカナ and Latin.",
    "Zalgo: z̸̢̛͎a̶l̴g̷o̵",
    "\ud7ff\ue000\uffff",
    "0" * 400,
    "https://example.com/" + "a/" * 100,
]


def speak(server: Server, text: str, form: str = "pcm") -> None:
    body = {"model": "tts-1", "voice": "cedar", "input": text, "response_format": form}
    with server.client() as client:
        answer = client.post("/audio/speech", json=body)
    if answer.status_code == 200:
        assert decode(answer.content, form).seconds > 0.1
        return
    assert answer.status_code == 400, answer.text[:300]
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("text", NASTY)
def test_nasty_texts(server: Server, text: str) -> None:
    speak(server, text, "mp3")


def test_lone_surrogates(server: Server) -> None:
    with server.client() as client:
        raw = b'{"model": "tts-1", "voice": "cedar", "input": "hi \\ud800 there", "instructions": "\\udfff"}'
        assert client.post("/audio/speech", content=raw).status_code == 200
        raw = b'{"model": "tts-1", "voice": "\\ud800", "input": "hi"}'
        assert client.post("/audio/speech", content=raw).status_code == 400


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1, max_size=60))
def test_random_texts(server: Server, text: str) -> None:
    speak(server, text)
