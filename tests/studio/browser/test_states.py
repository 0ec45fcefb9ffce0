"""The states between empty and done: no violation that axe-core finds, no sideways scrolling, no motion."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.studio.access import LOOKS, SIZES, looked_at
from tests.studio.recorded import HARBOUR, SOUND, STAND_STILL, answer_with, body, events
from tests.studio.stage import PageOf, Visit, with_about
from tests.support.server import KEY, Server

FULL = {"message": "The server is full.", "type": "server_error", "param": None, "code": "overloaded"}
WRONG = {"message": "No sound could be decoded from it.", "type": "invalid_request_error", "param": "file"}


def drop(page: Page) -> None:
    page.set_input_files(
        "input[type=file]", {"name": "harbour.wav", "mimeType": "audio/wav", "buffer": SOUND}
    )


def refuse(page: Page, status: int, error: dict[str, Any]) -> None:
    def answer(route: Route) -> None:
        route.fulfill(status=status, headers={"retry-after": "60"}, body=json.dumps({"error": error}))

    page.route("**/v1/audio/transcriptions", answer)


def working(page: Page) -> None:
    page.evaluate(f"(() => {{ {STAND_STILL} }})()")
    told = list(events(HARBOUR, told=False))
    answer_with(page, body(told[:3], whole=False))
    drop(page)
    page.wait_for_selector("progress")
    page.wait_for_selector("[data-at]")


def failed(page: Page) -> None:
    refuse(page, 400, WRONG)
    drop(page)
    page.wait_for_selector("text=No sound could be decoded")


def full(page: Page) -> None:
    refuse(page, 429, FULL)
    drop(page)
    page.wait_for_selector("text=Trying again in")


def done(page: Page) -> None:
    answer_with(page, body(events(HARBOUR)))
    drop(page)
    page.wait_for_selector("text=done in")
    page.get_by_role("button", name="Edit this turn").first.focus()


def editing(page: Page) -> None:
    done(page)
    page.keyboard.press("e")
    page.wait_for_selector("textarea:focus")


def exporting(page: Page) -> None:
    done(page)
    page.locator("summary", has_text="Export").click()


def asking(page: Page) -> None:
    done(page)
    page.locator(".list li button").evaluate("button => button.click()")
    page.wait_for_selector("dialog[open]")


def recording(page: Page) -> None:
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_selector("meter")


def sounding(page: Page) -> None:
    """A recording whose text is kept and whose sound is not."""
    done(page)
    page.reload()
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_selector("dialog[open]")


def helping(page: Page) -> None:
    done(page)
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] dl.keys")


def speaking(page: Page) -> None:
    page.get_by_role("link", name="Speak").click()
    page.wait_for_selector(".voices li")
    page.get_by_role("textbox", name="Text").fill("Good day.")
    for voice in ("alloy", "cedar"):
        page.get_by_role("checkbox", name=f"Compare {voice}").check()
    page.get_by_role("button", name="Compare 2").click()
    page.wait_for_function("() => document.querySelectorAll('.takes li').length === 2")
    page.get_by_role("button", name="Stop").wait_for(state="detached")


def consenting(page: Page) -> None:
    page.get_by_role("link", name="Voices").click()
    page.wait_for_selector("blockquote:not(:empty)")
    page.set_input_files(
        "main input[type=file]", {"name": "harbour.wav", "mimeType": "audio/wav", "buffer": SOUND}
    )
    page.wait_for_selector("dl.compared mark")


def refused(page: Page) -> None:
    """A file above the limit, which is not sent."""
    with_about(page, lambda about: about["limits"].update(upload_bytes=1000))
    page.reload()
    page.wait_for_selector("text=up to 1 kB")
    drop(page)
    page.wait_for_selector("text=limits.upload_bytes")


def stopped(page: Page) -> None:
    working(page)
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=/^Stopped/")


def calling(page: Page) -> None:
    done(page)
    page.get_by_role("button", name="Show the call").click()
    page.wait_for_selector("dialog[open] pre")


def choosing(page: Page) -> None:
    done(page)
    page.get_by_role("button", name="Who speaks").first.click()
    page.wait_for_selector("dialog[open] [role=group]")


def silent(page: Page) -> None:
    """A file that the browser cannot play."""
    answer_with(page, body(events(HARBOUR)))
    page.set_input_files("input[type=file]", {"name": "a.amr", "mimeType": "audio/amr", "buffer": b"#!AMR"})
    page.wait_for_selector("text=cannot play")


def dictating(page: Page) -> None:
    page.get_by_role("link", name="Live").click()
    page.get_by_role("button", name="Start speaking").click()
    page.wait_for_selector("meter")


def unready(page: Page) -> None:
    problems = {"storage": "The disk of this server is full."}
    page.route("**/health/ready", lambda route: route.fulfill(status=503, json={"problems": problems}))
    page.get_by_role("link", name="Server").click()
    page.wait_for_selector("text=Not ready")


ONCE: tuple[Callable[[Page], None], ...] = (refused, stopped, calling, choosing, silent, dictating, unready)
"""They are made of parts that other states have too: one look is enough."""
STATES: tuple[Callable[[Page], None], ...] = (
    working,
    failed,
    full,
    done,
    editing,
    exporting,
    asking,
    recording,
    sounding,
    helping,
    speaking,
    consenting,
)


def test_37_39_every_state_on_a_phone_and_on_a_desktop(page_of: PageOf, fake: Server) -> None:
    found: dict[str, list[str]] = {}
    made = page_of(fake, allowed=(400, 401, 429, 503))
    made.page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    for state in (*STATES, *ONCE):
        page = begin(made)
        state(page)
        found[state.__name__] = looked_at(page, LOOKS[: 1 if state in ONCE else 2])
    assert not any(found.values()), found


def test_37_39_the_dialog_of_the_key(page_of: PageOf, locked: Server) -> None:
    page = page_of(locked, allowed=(401,)).open()
    page.wait_for_selector("dialog[open]")
    assert looked_at(page, LOOKS[:2]) == []
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    page.get_by_role("button", name="Change or forget the key").click()
    page.get_by_role("button", name="Forget the key", exact=True).wait_for()
    assert looked_at(page, LOOKS[:1]) == [], "with one more button in the header"


def begin(made: Visit) -> Page:
    """Opens the empty page, without anything that the state before has left."""
    made.clear()
    made.page.set_viewport_size(SIZES["desktop"])
    return made.open()


MOVES = """async () => {
  const before = document.getAnimations().length;
  await new Promise((next) => setTimeout(next, 100));
  return before + document.getAnimations().length;
}"""


def test_39_with_reduced_motion_nothing_moves(page_of: PageOf, fake: Server) -> None:
    made = page_of(fake, reduced_motion="reduce")
    made.page.add_init_script(
        """const scroll = Element.prototype.scrollIntoView;
        window.scrolled = [];
        Element.prototype.scrollIntoView = function (how) {
          window.scrolled.push(how.behavior);
          scroll.call(this, how);
        };"""
    )
    page = made.open()
    done(page)
    page.locator("[data-at]").first.click()
    page.wait_for_function("() => window.scrolled.length > 1")
    assert set(page.evaluate("window.scrolled")) == {"instant"}
    assert page.evaluate(MOVES) == 0


@pytest.mark.parametrize("size", SIZES)
def test_39_in_forced_colours_what_is_chosen_and_what_is_heard_is_seen(
    page_of: PageOf, fake: Server, size: str
) -> None:
    """Colours of the user's system: a background of ours would vanish, so marks use the system's own."""
    page = page_of(fake, forced_colors="active", viewport=SIZES[size]).open()
    done(page)
    page.locator("[data-at]").first.click()
    page.wait_for_selector(".heard")
    colours = "one => [getComputedStyle(one).backgroundColor, getComputedStyle(one).color]"
    heard = page.locator(".heard").first.evaluate(colours)
    plain = page.locator(".turn p").first.evaluate(colours)
    assert heard[0] not in {plain[0], "rgba(0, 0, 0, 0)"}
    current = page.locator("nav a[aria-current=page]").evaluate(UNDERLINED)
    others = page.locator("nav a:not([aria-current=page])").first.evaluate(UNDERLINED)
    assert current
    assert not others
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]


UNDERLINED = "link => getComputedStyle(link).textDecorationLine.includes('underline')"


def test_39_in_forced_colours_frames_and_the_place_in_the_sound_are_seen(
    page_of: PageOf, fake: Server
) -> None:
    """Tints vanish there: a failure and the phrase have frames, and the line in the strip its own colour."""
    page = page_of(fake, forced_colors="active", allowed=(400,)).open()
    failed(page)
    framed = "one => parseFloat(getComputedStyle(one).borderTopWidth) >= 2"
    assert page.locator(".failure").evaluate(framed)
    page.unroute_all()
    answer_with(page, body(events(HARBOUR)))
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("text=done in")
    strip = page.locator(".strip")
    begins = strip.screenshot()
    page.locator(".strip input").evaluate("input => { input.value = input.max / 2; }")
    assert strip.screenshot() != begins
    page.get_by_role("link", name="Voices").click()
    page.wait_for_selector("blockquote:not(:empty)")
    assert page.locator("blockquote").evaluate(framed)
    assert page.locator(".steps [aria-current=step]").evaluate(UNDERLINED)
    colours = "one => getComputedStyle(one).backgroundColor"
    unusable = page.get_by_role("button", name="Send").evaluate(colours)
    page.get_by_role("link", name="Speak").click()
    page.get_by_role("textbox", name="Text").fill("Good day.")
    assert page.get_by_role("button", name="Speak", exact=True).evaluate(colours) != unusable
