"""The states between empty and done: no violation that axe-core finds, no sideways scrolling, no motion."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.studio.access import SIZES, violations
from tests.studio.recorded import HARBOUR, SOUND, STAND_STILL, answer_with, body, events
from tests.studio.stage import PageOf, Visit
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


STATES: tuple[Callable[[Page], None], ...] = (
    working,
    failed,
    full,
    done,
    editing,
    exporting,
    asking,
    recording,
)
Open = Callable[[str, str], Visit]


@pytest.fixture
def opened(page_of: PageOf, fake: Server) -> Open:
    return lambda size, scheme: page_of(
        fake, viewport=SIZES[size], color_scheme=scheme, allowed=(400, 401, 429)
    )


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desktop", "dark")])
def test_37_axe_finds_no_violation_in_any_state(opened: Open, size: str, scheme: str) -> None:
    found: dict[str, list[str]] = {}
    made = opened(size, scheme)
    made.page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    for state in STATES:
        page = begin(made)
        state(page)
        found[state.__name__] = violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"], state.__name__
    assert not any(found.values()), found


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desktop", "dark")])
def test_37_axe_finds_no_violation_in_the_dialog_of_the_key(
    page_of: PageOf, locked: Server, size: str, scheme: str
) -> None:
    made = page_of(locked, viewport=SIZES[size], color_scheme=scheme, allowed=(401,))
    page = made.open()
    page.wait_for_selector("dialog[open]")
    assert violations(page) == []
    page.get_by_label("API key").fill(KEY)


def begin(made: Visit) -> Page:
    """The empty page, without what the state before left."""
    made.page.unroute_all()
    made.page.goto("about:blank")
    made.context.clear_cookies()
    page = made.open()
    page.evaluate("indexedDB.deleteDatabase('keyval-store')")
    return page


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
