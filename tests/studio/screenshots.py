"""The pictures of the page in the docs: `python -m tests.studio.screenshots` writes them into docs/images.

Law: six states, each light, dark and on a phone, of the real page, and one in German, whose words are long;
each picture has at most 60 kB. Arguments (`done-german`) name the pictures to take, if not all.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.conftest import ROOT
from tests.studio.recorded import SOUND, STAND_STILL, answer_with, body, conversation, events
from tests.studio.stage import DROP_ZONE, chromium, visit
from tests.support.server import running

FOLDER = ROOT / "docs/images"
MOST_BYTES = 60_000
PALETTE_COLOURS = 128
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}
LOOKS["german"] = LOOKS["phone"] | {"locale": "de"}
INTERVIEW = conversation(
    [
        "And so we went back to the harbour, because my mother had left her coat there.",
        "Which harbour was that?",
        "The old one, by the lighthouse. They have built houses where the boats were.",
        "And did you find the coat?",
        "We did. It hung on the door of the fish market, and somebody had put a herring into each pocket.",
        "A herring in each?",
        "As a greeting. People knew her.",
    ]
)


def empty(page: Page) -> None:
    page.wait_for_selector(DROP_ZONE)
    page.wait_for_load_state("networkidle")


def drop(page: Page, text: str) -> None:
    answer_with(page, text)
    page.set_input_files(
        "input[type=file]", {"name": "interview.wav", "mimeType": "audio/wav", "buffer": SOUND}
    )
    page.wait_for_selector("[data-at]")


LATER = "(() => { const now = Date.now(); Date.now = () => now + 230_000; })()"
"""The clock of the page goes on by four minutes, which the first 31 minutes of the recording took."""


def stretched(event: dict[str, Any], factor: float) -> dict[str, Any]:
    """The event of a recording that lasts `factor` times as long."""
    for one in (event, *event.get("words", ())):
        one |= {name: one[name] * factor for name in ("start", "end") if name in one}
    if event["type"] == "antiphon.peaks":
        slow = bytes(one for one in base64.b64decode(event["data"]) for _ in range(round(factor)))
        event["data"] = base64.b64encode(slow).decode()
    return event


def working(page: Page) -> None:
    """A stream that stands still: the page gets the beginning and no end."""
    page.add_init_script(STAND_STILL)
    page.reload()
    page.wait_for_selector(DROP_ZONE)
    told = [stretched(event, 1867 / INTERVIEW[-1].end) for event in events(INTERVIEW, told=False)]
    progress = {"type": "antiphon.progress", "seconds": 1867, "expected": 4212, "queued": 0}
    drop(page, body([*told[:-1], progress], whole=False))
    page.evaluate(LATER)
    page.wait_for_selector("text=about 5 minutes left")


def done(page: Page) -> None:
    drop(page, body(events(INTERVIEW)))
    page.wait_for_selector("details.menu")
    for number, name in enumerate(("Anna", "Ben")):
        # On a phone the people are in a sheet that is closed at first: the field is there and not seen.
        page.locator(".people input").nth(number).evaluate(
            "(field, name) => { field.value = name; field.dispatchEvent(new Event('change')); }", name
        )
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)


def speak(page: Page) -> None:
    page.wait_for_selector(".voices li")
    page.get_by_role("textbox", name="Text").fill("Good morning. It is half past seven, and the sea is calm.")
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_selector(".takes li", timeout=60_000)
    page.get_by_role("button", name="Speak", exact=True).wait_for()


def voices(page: Page) -> None:
    page.wait_for_selector("blockquote:not(:empty)")


def server(page: Page) -> None:
    page.wait_for_selector("table td")


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "empty": ("transcribe", empty),
    "working": ("transcribe", working),
    "done": ("transcribe", done),
    "speak": ("speak", speak),
    "voices": ("voices", voices),
    "server": ("server", server),
}


PICTURES = [f"{state}-{look}" for state in STATES for look in ("light", "dark", "phone")] + ["done-german"]


@contextmanager
def studio() -> Iterator[str]:
    """The root of a real server with the weights of this checkout and no keys."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/antiphon.db"
        with running(
            ROOT / "data", Path(folder) / "log", STORAGE_DATABASE_URL=database, AUTH_KEYS=""
        ) as made:
            yield made.root


def take(browser: Browser, root: str, name: str) -> Path:
    state, _, look = name.partition("-")
    view, act = STATES[state]
    made = visit(browser, root, reduced_motion="reduce", **LOOKS[look])
    page = made.open(view)
    act(page)
    path = FOLDER / f"studio-{name}.png"
    page.screenshot(path=path)
    # The page has few colours: a palette is a third of the size and looks the same.
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(PALETTE_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    made.context.close()
    return path


def main(names: Sequence[str]) -> int:
    FOLDER.mkdir(exist_ok=True)
    with studio() as root, chromium() as browser:
        paths = [take(browser, root, name) for name in names or PICTURES]
    sizes = {path: path.stat().st_size for path in paths}
    for path, size in sizes.items():
        print(f"{size:7} {path.relative_to(ROOT)}")
    return int(max(sizes.values()) > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
