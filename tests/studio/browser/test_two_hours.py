"""A transcript of two hours: shown whole, scrolled, searched, heard."""

from __future__ import annotations

import math

from tests.studio.recorded import (
    BEGUN,
    LISTEN,
    TWO_HOURS,
    Stream,
    events,
    long_file,
    scrolled,
    word,
)
from tests.studio.stage import Visit

CURRENT = "performance.now()"
MOST_HEAP_BYTES = 50e6
MOST_NODES_A_WORD = 10
"""Each word is an element, its text and a space; each turn has some forty nodes more."""


def test_22_23_two_hours_are_shown_scrolled_searched_and_heard(cleared: Visit) -> None:
    """Times depend on the machine: they are printed, and `tests.studio.budget` measures them."""
    page = cleared.open()
    page.evaluate(LISTEN)
    stream = Stream(page)
    long_file(page, math.ceil(TWO_HOURS[-1].end))
    begun = page.evaluate(CURRENT)
    stream.end(events(TWO_HOURS))
    page.wait_for_selector("text=done in")
    waited = page.evaluate(CURRENT) - begun
    assert page.locator(".turn").count() == len(TWO_HOURS)
    count = page.locator("[data-at]").count()
    assert count >= 14_000
    turns = scrolled(page)
    assert min(turns) >= 0, "a turn is drawn at each stop"
    there, back = turns[:21], turns[20:]
    assert there == sorted(there)
    assert back == sorted(back, reverse=True)
    assert len(set(there)) == len(there)
    session = cleared.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    nodes = session.send("Memory.getDOMCounters")["nodes"]
    session.detach()
    print(f"{count} words: shown after {waited:.0f} ms, heap {heap / 1e6:.0f} MB, {nodes} nodes")
    assert heap < MOST_HEAP_BYTES
    assert nodes < MOST_NODES_A_WORD * count

    assert page.evaluate("window.find('1399 has')") is True
    page.evaluate("getSelection().removeAllRanges()")
    last = word(page, "1399")
    at = float(last.get_attribute("data-at") or "nan")
    last.click()
    assert at > 7_000
    assert abs(page.evaluate(BEGUN) - at) <= 0.15
