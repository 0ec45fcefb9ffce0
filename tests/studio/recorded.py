"""Recorded streams of transcriptions, as the server would send them, so that tests need
not wait for a model.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import FilePayload, Locator, Page, Route

from tests.studio.stage import Visit
from tests.support.sound import tone, wav

PEOPLE = "AB"
WORD_SECONDS = 0.5


@dataclass(frozen=True)
class Turn:
    """What one person says, from a second on; each word takes half a second."""

    speaker: str
    start: float
    words: tuple[str, ...]

    @property
    def end(self) -> float:
        return self.start + WORD_SECONDS * len(self.words)


def conversation(texts: Iterable[str]) -> list[Turn]:
    """A conversation in which two people say the texts in turn."""
    turns: list[Turn] = []
    at = 0.0
    for number, text in enumerate(texts):
        turns.append(Turn(PEOPLE[number % 2], at, tuple(text.split())))
        at = turns[-1].end
    return turns


HARBOUR = conversation(
    [
        "And so we went back to the harbour for Käse.",
        "Which harbour was that?",
        "The old one by the lighthouse.",
        "I have never been there myself.",
    ]
)
TWO_HOURS = conversation(
    f"Turn number {number} has nine or ten words in it, finally." for number in range(1400)
)
SOUND = wav(tone(20))


def events(turns: list[Turn], *, told: bool = True) -> Iterator[dict[str, Any]]:
    """All events of such a stream. `told`: whether speakers become known."""
    seconds = turns[-1].end
    yield {"type": "antiphon.progress", "seconds": 0, "expected": seconds, "queued": 0}
    for turn in turns:
        words = [
            {"word": word, "start": turn.start + WORD_SECONDS * n, "end": turn.start + WORD_SECONDS * (n + 1)}
            for n, word in enumerate(turn.words)
        ]
        text = " ".join(turn.words) + " "
        facts = {"delta": text, "start": turn.start, "end": turn.end, "words": words}
        yield {"type": "transcript.text.delta", **facts}
    yield {"type": "antiphon.progress", "seconds": seconds, "expected": seconds, "queued": 0}
    loudness = (abs(math.sin(0.9 * n) * math.sin(0.23 * n + 1)) for n in range(round(seconds * 10)))
    data = base64.b64encode(bytes(20 + round(200 * share) for share in loudness)).decode()
    yield {"type": "antiphon.peaks", "start": 0, "rate": 10, "data": data}
    for number, turn in enumerate(turns if told else ()):
        facts = {"id": f"seg_{number}", "start": turn.start, "end": turn.end, "text": " ".join(turn.words)}
        yield {"type": "transcript.text.segment", "speaker": turn.speaker, **facts}
    yield {"type": "transcript.text.done", "text": "", "languages": [{"code": "en"}]}


def body(told: Iterable[dict[str, Any]], *, whole: bool = True) -> str:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in told) + "data: [DONE]\n\n" * whole


def answer_with(page: Page, text: str) -> None:
    """Makes the page get this stream as the answer to every transcription."""
    headers = {"content-type": "text/event-stream", "x-request-id": "req_recorded"}

    def answer(route: Route) -> None:
        route.fulfill(status=200, headers=headers, body=text)

    page.route("**/v1/audio/transcriptions", answer)


class Stream:
    """The transcriptions of a page from now on: a test gives their answers piece by piece, and nothing is
    sent.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(FEED)

    def tell(self, told: Iterable[dict[str, Any]], upload: int = 0) -> None:
        """The upload with this number, which may begin later, is answered with these events."""
        self._page.wait_for_function("upload => window.uploads.length > upload", arg=upload)
        self._page.evaluate(
            "([upload, text]) => window.uploads[upload].tell(text)", [upload, body(told, whole=False)]
        )

    def end(self, told: Iterable[dict[str, Any]] = (), upload: int = 0) -> None:
        self.tell(told, upload)
        self._page.evaluate("upload => window.uploads[upload].end()", upload)


FEED = """() => {
  window.uploads = [];
  XMLHttpRequest.prototype.send = function () {
    let answer = '';
    Object.defineProperties(this, { status: { value: 200 }, responseText: { get: () => answer } });
    this.getResponseHeader = () => 'req_recorded';
    window.uploads.push({
      tell: (text) => { answer += text; this.onprogress(); },
      end: () => { answer += 'data: [DONE]\\n\\n'; this.onload(); },
    });
  };
}"""
LISTEN = """(() => {
  const played = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () { window.heard = this; return played.call(this); };
})()"""
"""A script: what is played is `window.heard`."""


BEGUN = """() => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('nothing was heard within 50 s')), 50_000);
  const look = () => {
    const last = (window.heard?.played.length ?? 0) - 1;
    const heard = last >= 0 && window.heard.played.end(last) > window.heard.played.start(last);
    if (heard) resolve(window.heard.played.start(last));
    else setTimeout(look, 20);
  };
  look();
})"""
"""The second from which the sound was heard, however late it is looked at."""


def told(name: str) -> FilePayload:
    return {"name": name, "mimeType": "audio/wav", "buffer": SOUND}


def shown(
    made: Visit, turns: list[Turn] = HARBOUR, name: str = "harbour.wav", file: Path | None = None
) -> Page:
    """The page with a recording whose transcript is `turns`. `file`: one that keeps its date, instead of a
    file of this name that is made now.
    """
    made.page.add_init_script(LISTEN)
    page = made.open()
    answer_with(page, body(events(turns)))
    page.set_input_files("input[type=file]", file or told(name))
    page.wait_for_selector("text=done in")
    return page


def word(page: Page, text: str) -> Locator:
    return page.locator("[data-at]", has_text=re.compile(f"^{re.escape(text)}$")).first


def long_file(page: Page, seconds: int, selector: str = "input[type=file]") -> None:
    """Drops `long.wav`: silence that is made in the browser, because it would take long to get there."""
    page.eval_on_selector(selector, LONG_FILE, seconds)


def scrolled(page: Page) -> list[int]:
    """Scrolls to the end and back, with a stop at each twentieth. Gives the number of the turn in the middle
    of the window at each stop; -1 if none is drawn there.
    """
    turns: list[int] = page.evaluate(SCROLLED)
    return turns


LONG_FILE = """(input, seconds) => {
  const rate = 3000;
  const data = new Uint8Array(44 + seconds * rate).fill(128);
  const view = new DataView(data.buffer);
  const words = (at, text) => data.set(new TextEncoder().encode(text), at);
  words(0, 'RIFF');
  view.setUint32(4, data.length - 8, true);
  words(8, 'WAVEfmt ');
  [16, 0x10001, rate, rate, 0x80001].forEach((value, index) => view.setUint32(16 + 4 * index, value, true));
  words(36, 'data');
  view.setUint32(40, data.length - 44, true);
  const dropped = new DataTransfer();
  dropped.items.add(new File([data], 'long.wav', {type: 'audio/wav'}));
  input.files = dropped.files;
  input.dispatchEvent(new Event('change', {bubbles: true}));
}"""
SCROLLED = """async () => {
  const seen = [];
  const turns = [...document.querySelectorAll('.turn')];
  const frame = () => new Promise((next) => requestAnimationFrame(next));
  const middle = document.querySelector('.transcript').getBoundingClientRect().left + 60;
  for (const stop of [...Array(21).keys(), ...[...Array(20).keys()].reverse()]) {
    const top = ((document.documentElement.scrollHeight - innerHeight) * stop) / 20;
    scrollTo({top, behavior: 'instant'});
    await frame();
    await frame();
    seen.push(turns.indexOf(document.elementFromPoint(middle, innerHeight / 2)?.closest('.turn')));
  }
  return seen;
}"""
STAND_STILL = """
const send = XMLHttpRequest.prototype.send;
XMLHttpRequest.prototype.send = function (form) {
  this.onload = this.onprogress;
  return send.call(this, form);
};
"""
"""A script: from now on no stream of this page ends, so that it stays as it is while the server works."""
