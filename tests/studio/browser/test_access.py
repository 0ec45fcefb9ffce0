"""Who cannot see, who uses no mouse, who has a small screen."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.conftest import JFK
from tests.studio.stage import PageOf
from tests.support.node import studio_tools
from tests.support.server import Server

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1280, "height": 800}}
VIEWS = ("transcribe", "speak", "voices", "server")
WAITED_FOR = {"speak": ".voices li", "voices": "blockquote", "server": "table td", "transcribe": ".drop"}


@cache
def axe_source() -> str:
    return (studio_tools() / "axe-core/axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """What axe-core finds. Evaluated, because the policy of the page forbids a foreign script."""
    page.evaluate(axe_source())
    answer: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})",
        RULES,
    )
    assert answer["violations"] is not None
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in answer["violations"]
        for node in found["nodes"]
    ]


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
