"""A user without a mouse, who goes from control to control with the Tab key and must see which one has
the focus.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

MOST_STOPS = 60
FOCUSED = """() => {
  const one = document.activeElement;
  const shown = one.closest('.button') ?? one;
  const style = getComputedStyle(shown);
  const box = shown.getBoundingClientRect();
  return {
    name: (one.getAttribute('aria-label') ?? one.labels?.[0]?.innerText ?? one.innerText ?? '').trim(),
    body: one === document.body,
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    sized: box.width > 0 && box.height > 0,
  };
}"""


def stop(page: Page) -> dict[str, Any]:
    """The control that has the focus."""
    told: dict[str, Any] = page.evaluate(FOCUSED)
    return told


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Presses Tab until the control called `name` has the focus. Every stop on the way must be seen."""
    passed: list[str] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        here = stop(page)
        if not here["body"]:
            assert here["outlined"], f"the focus on {here['name']!r} is not seen"
            assert here["sized"], f"{here['name']!r} has the focus and no size"
        passed.append(here["name"])
        if here["name"] == name:
            return
    raise AssertionError(f"Tab never came to {name!r}: {passed}")
