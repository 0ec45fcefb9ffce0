"""What axe-core finds on a page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from playwright.sync_api import Page, ViewportSize

from tests.support.node import studio_tools

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES: dict[str, ViewportSize] = {
    "phone": {"width": 360, "height": 1400},
    "desktop": {"width": 1280, "height": 800},
}
"""The phone is high, so that no control is half behind the bar at the bottom when targets are measured."""


Scheme = Literal["light", "dark"]
LOOKS: tuple[tuple[str, Scheme], ...] = (
    ("phone", "light"),
    ("desktop", "dark"),
    ("phone", "dark"),
    ("desktop", "light"),
)
NARROWEST = 320
TWICE = 640


@cache
def axe_source() -> str:
    return (studio_tools() / "node_modules/axe-core/axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """What axe-core finds. Evaluated, because the policy of the page forbids a foreign script."""
    if not page.evaluate("'axe' in window"):
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


def looked_at(page: Page, looks: Iterable[tuple[str, Scheme]] = LOOKS) -> list[str]:
    """What is wrong with a page as it stands: what axe-core finds on a phone and on a desktop, light and
    dark, and what is too wide at 320 pixels and at twice the size of text.
    """
    found: list[str] = []
    for size, scheme in looks:
        page.set_viewport_size(SIZES[size])
        page.emulate_media(color_scheme=scheme)
        found += [f"{size} {scheme} {line}" for line in violations(page)]
    for width, text in ((NARROWEST, "100%"), (TWICE, "200%")):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("text => { document.documentElement.style.fontSize = text; }", text)
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{wide} pixels wide at {width} and text of {text}"] * (wide > width)
        found += [f"{word} is cut off at {width}" for word in page.evaluate(CUT)]
    return found


CUT = """() => [...document.querySelectorAll('button, .button, nav.list h2, header nav a, th, dt')]
  .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.innerText || one.ariaLabel)"""
"""Controls whose text is wider than the control."""
