"""What axe-core finds on a page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from playwright.sync_api import Page, ViewportSize

from tests.support.node import studio_tools

RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""What alone can differ between the light and the dark page of one size."""
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
PHONE = 360
"""With text of twice the size this is harder than 640 pixels, which WCAG asks for."""


@cache
def axe_source() -> str:
    return (studio_tools() / "node_modules/axe-core/axe.min.js").read_text()


def violations(page: Page, rules: dict[str, Any] = RULES) -> list[str]:
    """What axe-core finds. Evaluated, because the policy of the page forbids a foreign script."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe_source())
    answer: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})",
        rules,
    )
    assert answer["violations"] is not None
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in answer["violations"]
        for node in found["nodes"]
    ]


def looked_at(page: Page, looks: Iterable[tuple[str, Scheme]] = LOOKS) -> list[str]:
    """What is wrong with a page as it stands: what axe-core finds on a phone and on a desktop, light and
    dark, and what is too wide or overlaps at 320 pixels and at twice the size of text.
    """
    found: list[str] = []
    sizes: set[str] = set()
    for size, scheme in looks:
        rules = COLOURS if size in sizes else RULES
        sizes.add(size)
        page.set_viewport_size(SIZES[size])
        page.emulate_media(color_scheme=scheme)
        found += [f"{size} {scheme} {line}" for line in violations(page, rules)]
    for width, text in ((NARROWEST, "100%"), (PHONE, "200%")):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("text => { document.documentElement.style.fontSize = text; }", text)
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{wide} pixels wide at {width} and text of {text}"] * (wide > width)
        found += [f"{word} is cut off at {width}" for word in page.evaluate(CUT)]
        found += [f"{pair} overlap at {width}" for pair in page.evaluate(OVERLAPPING)]
    return found


CUT = """() => [...document.querySelectorAll('button, .button, nav.list h2, header nav a, th, dt')]
  .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.innerText || one.ariaLabel)"""
"""Controls whose text is wider than the control."""
OVERLAPPING = """() => {
  const all = [...document.querySelectorAll(':is(.top, .bar) :is(a, button, select, .time)')]
    .filter((one) => one.checkVisibility())
    .map((one) => [one.getBoundingClientRect(), one.ariaLabel ?? one.innerText]);
  return all.flatMap(([one, name], index) => all.slice(index + 1)
    .filter(([other]) => one.left < other.right - 1 && other.left < one.right - 1
      && one.top < other.bottom - 1 && other.top < one.bottom - 1)
    .map(([, second]) => `${name} and ${second}`));
}"""
"""Pairs of controls of the header, or of the player's bar, that lie on one another."""
