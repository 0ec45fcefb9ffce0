"""Who cannot see, who uses no mouse, who has a small screen."""

from __future__ import annotations

import pytest

from tests.conftest import JFK
from tests.studio.access import SIZES, violations
from tests.studio.stage import PageOf
from tests.support.server import Server

VIEWS = ("transcribe", "speak", "voices", "server", "live")
WAITED_FOR = {
    "speak": ".voices li",
    "voices": "blockquote",
    "server": "table td",
    "transcribe": ".drop",
    "live": "main h1",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_37_axe_finds_no_violation_in_any_view(page_of: PageOf, fake: Server, size: str, scheme: str) -> None:
    made = page_of(fake, viewport=SIZES[size], color_scheme=scheme)
    found: dict[str, list[str]] = {}
    for view in VIEWS:
        page = made.open(view)
        page.wait_for_selector(WAITED_FOR[view])
        found[view] = violations(page)
    page = made.open()
    page.set_input_files("input[type=file]", str(JFK))
    page.wait_for_selector("text=words,")
    found["done"] = violations(page)
    page.get_by_role("button", name="Show the call").click()
    page.wait_for_selector("dialog[open] pre")
    found["call"] = violations(page)
    assert not any(found.values()), found


def test_axe_sees_what_is_wrong(page_of: PageOf, fake: Server) -> None:
    """The check above can fail."""
    page = page_of(fake).open()
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [line for line in violations(page) if line.startswith("button-name")]


@pytest.mark.parametrize("view", VIEWS)
def test_39_at_320_pixels_nothing_scrolls_sideways(page_of: PageOf, fake: Server, view: str) -> None:
    page = page_of(fake, viewport={"width": 320, "height": 640}).open(view)
    page.wait_for_selector(WAITED_FOR[view])
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("view", VIEWS)
def test_39_at_twice_the_text_size_nothing_scrolls_sideways(page_of: PageOf, fake: Server, view: str) -> None:
    page = page_of(fake, viewport={"width": 640, "height": 800}).open(view)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.wait_for_selector(WAITED_FOR[view])
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
