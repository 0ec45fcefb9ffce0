"""The budget of the page, measured: `python -m tests.studio.budget` prints a table.

Times depend on the machine, so no test asserts them; the main thread's CPU time depends on it least.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page

from tests.studio.recorded import HARBOUR, SOUND, STAND_STILL, TWO_HOURS, answer_with, body, events, scrolled
from tests.studio.stage import Visit, chromium, visit
from tests.support.fake_server import serving

MEASURED_ROUNDS = 5
MOST_SECONDS = 240
"""The browser is ended after this time, so that a script in the page that does not answer ends all."""
SPOKEN_WORDS = sum(len(turn.words) for turn in TWO_HOURS)
LONG_TASKS = """() => {
  window.longTasks = [0];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((task) => task.duration)))
    .observe({type: 'longtask'});
}"""
Row = dict[str, float]


class Meter:
    """The clocks of one page."""

    def __init__(self, made: Visit) -> None:
        self._session: CDPSession = made.context.new_cdp_session(made.page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._page = made.page

    def cpu(self) -> float:
        """Milliseconds that the main thread has worked."""
        told = self._session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(one["value"]) for one in told if one["name"] == "TaskDuration")

    def now(self) -> float:
        return float(self._page.evaluate("performance.now()"))

    def heap(self) -> float:
        """MB, after what is no longer used was thrown away."""
        self._session.send("HeapProfiler.collectGarbage")
        return float(self._session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def first_view(browser: Browser, root: str) -> Row:
    made = visit(browser, root)
    received: list[int] = []
    session = made.context.new_cdp_session(made.page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: received.append(int(event["encodedDataLength"])))
    made.page.add_init_script(WATCH_DRAWN)
    page = made.open()
    page.wait_for_load_state("networkidle")
    row = {"first view, kB": sum(received) / 1000, "requests": len(made.requests)}
    row |= {
        "first paint, ms": page.evaluate(FIRST_PAINT),
        "drop zone painted, ms": page.evaluate(LARGEST_PAINT),
        "its modules are there, ms": page.evaluate("window.drawn"),
    }
    made.context.close()
    return row


def two_hours(browser: Browser, root: str) -> Row:
    made = visit(browser, root)
    page = made.open()
    page.wait_for_load_state("networkidle")
    answer_with(page, body(events(TWO_HOURS)))
    meter = Meter(made)
    cpu, begun = meter.cpu(), meter.now()
    page.set_input_files("input[type=file]", {"name": "long.wav", "mimeType": "audio/wav", "buffer": SOUND})
    page.wait_for_selector("text=done in", timeout=120_000)
    row = {"shown after, ms": meter.now() - begun, "main thread, ms of CPU": meter.cpu() - cpu}
    row |= {"longest task while scrolling, ms": longest_while_scrolling(page), "heap, MB": meter.heap()}
    made.context.close()
    return row


def reactions(browser: Browser, root: str) -> Row:
    """How soon the page shows what a user did, by its own clock at the frames that it draws."""
    made = visit(browser, root)
    page = made.open()
    page.wait_for_load_state("networkidle")
    page.evaluate(WATCH)
    row = {"first words of 20 s from a fake engine, ms": page.evaluate(FIRST_WORDS, list(SOUND[:44]))}
    page.evaluate("location.hash = '#/transcribe'")
    page.wait_for_selector(".drop")
    answer_with(page, body(events(HARBOUR)))
    row["a dropped file is named, ms"] = page.evaluate(DROPPED)
    page.wait_for_selector("text=cannot play")
    page.evaluate("location.hash = '#/transcribe'")
    page.set_input_files("input[type=file]", {"name": "long.wav", "mimeType": "audio/wav", "buffer": SOUND})
    page.wait_for_selector("h1:text('long.wav')")
    page.wait_for_selector("text=done in")
    row["a word that is clicked plays, ms"] = page.evaluate(PLAYED)
    page.evaluate(f"(() => {{ {STAND_STILL} }})()")
    page.unroute_all()
    answer_with(page, body(list(events(HARBOUR, told=False))[:3], whole=False))
    page.locator("nav.list input[type=file]").set_input_files(
        {"name": "stopped.wav", "mimeType": "audio/wav", "buffer": SOUND}
    )
    page.wait_for_selector("h1:text('stopped.wav')")
    page.wait_for_selector("[data-at]")
    row["Stop is told, ms"] = page.evaluate(STOPPED)
    made.context.close()
    return row


FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
LARGEST_PAINT = """() => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('no largest paint within 20 s')), 20_000);
  const told = (list) => resolve(list.getEntries().at(-1).startTime);
  new PerformanceObserver(told).observe({type: 'largest-contentful-paint', buffered: true});
})"""
"""The largest text of the first view is that of the drop zone."""
WATCH_DRAWN = """new MutationObserver(() => {
  const page = document.documentElement;
  if (page && !('served' in page.dataset)) window.drawn ??= performance.now();
}).observe(document, {subtree: true, attributeFilter: ['data-served']})"""
"""A script: notes when the page takes the place of what the server has sent."""
WATCH = """() => {
  const played = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () { window.heard = this; return played.call(this); };
  window.after = (act, seen) => new Promise((resolve, reject) => {
    const begun = performance.now();
    setTimeout(() => reject(new Error(`not within 20 s: ${seen}`)), 20_000);
    const look = () => (seen() ? resolve(performance.now() - begun) : requestAnimationFrame(look));
    act();
    look();
  });
}"""
FIRST_WORDS = """(head) => {
  const data = new Uint8Array(44 + 20 * 32_000).map((_, place) => (place * 31) % 251); // no digital silence
  data.set(head);
  const dropped = new DataTransfer();
  dropped.items.add(new File([data], 'first.wav', {type: 'audio/wav'}));
  const drop = () => document.querySelector('.drop').dispatchEvent(
    new DragEvent('drop', {dataTransfer: dropped, bubbles: true}));
  return window.after(drop, () => document.querySelector('[data-at]'));
}"""
DROPPED = """() => {
  const data = new DataTransfer();
  data.items.add(new File(['#!AMR'], 'dropped.amr', {type: 'audio/amr'}));
  const drop = () => document.querySelector('.drop').dispatchEvent(
    new DragEvent('drop', {dataTransfer: data, bubbles: true}));
  return window.after(drop, () => document.querySelector('h1')?.textContent === 'dropped.amr');
}"""
PLAYED = """() => {
  const word = [...document.querySelectorAll('[data-at]')].at(-1);
  const at = Number(word.dataset.at);
  const plays = () => window.heard?.paused === false && window.heard.currentTime > at;
  return window.after(() => word.click(), plays);
}"""
STOPPED = """() => {
  const stop = [...document.querySelectorAll('button')].find((one) => one.textContent.includes('Stop'));
  return window.after(() => stop.click(), () => /Stopped/.test(document.querySelector('.sheet').textContent));
}"""


def longest_while_scrolling(page: Page) -> float:
    page.evaluate(LONG_TASKS)
    scrolled(page)
    return float(page.evaluate("Math.max(...window.longTasks)"))


@contextmanager
def ground() -> Iterator[tuple[Browser, str]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), AUTH_KEYS="") as server,
        chromium() as browser,
        ended_after(browser, MOST_SECONDS),
    ):
        yield browser, server.root


@contextmanager
def ended_after(browser: Browser, seconds: float) -> Iterator[None]:
    """Playwright waits for ever for a script in the page, but not for one of a browser that is gone."""
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    number = next(int(one["id"]) for one in told if one["type"] == "browser")
    timer = threading.Timer(seconds, os.kill, (number, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the server and the browser end
    measures: tuple[Callable[[Browser, str], Row], ...] = (first_view, reactions, two_hours)
    print(f"{SPOKEN_WORDS} words, {len(TWO_HOURS)} turns; {MEASURED_ROUNDS} rounds\n")
    print("| measure | median | least | most |\n|---|---|---|---|")
    with ground() as (browser, root):
        for measure in measures:
            rows = [measure(browser, root) for _ in range(MEASURED_ROUNDS)]
            for name in rows[0]:
                values = [row[name] for row in rows]
                print(f"| {name} | {statistics.median(values):.0f} | {min(values):.0f} | {max(values):.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
