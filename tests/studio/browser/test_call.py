"""The call of a result runs as it stands; the key is nowhere."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page

from tests.studio.calls import run, shown
from tests.studio.stage import PageOf, Visit
from tests.support.server import KEY, Server
from tests.support.sound import tone, wav
from tests.support.waiting import wait_until

HUM = wav(tone(3))


def unlocked(page_of: PageOf, locked: Server, view: str = "transcribe") -> tuple[Visit, Page]:
    """A visit whose user has given the key."""
    made = page_of(locked, allowed=(401,))
    page = made.open(view)
    page.wait_for_selector("dialog[open]")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    page.wait_for_selector("dialog", state="detached")
    return made, page


LANGUAGES = ("curl", "python", "node")


def test_34_the_call_of_a_transcription_runs(page_of: PageOf, locked: Server, tmp_path: Path) -> None:
    _, page = unlocked(page_of, locked)
    page.set_input_files("input[type=file]", {"name": "a hum.wav", "mimeType": "audio/wav", "buffer": HUM})
    page.wait_for_selector("text=3 words")
    told = " ".join(page.locator(".turn p").all_inner_texts())
    page.get_by_role("button", name="Show the call").click()
    assert "req_" in page.locator("dialog").inner_text()
    for language in LANGUAGES:
        text = shown(page, language)
        assert KEY not in text
        folder = tmp_path / language
        folder.mkdir()
        (folder / "a hum.wav").write_bytes(HUM)
        printed = run(language, text, folder)
        events = [json.loads(line.removeprefix("data: ")) for line in printed.splitlines() if "{" in line]
        done = [event["text"] for event in events if event["type"] == "transcript.text.done"]
        assert done == [told], language


def test_34_the_call_of_speech_runs(page_of: PageOf, locked: Server, tmp_path: Path) -> None:
    _, page = unlocked(page_of, locked, "speak")
    page.get_by_role("textbox", name="Text").fill('It\'s "fine".')
    page.get_by_role("button", name="Speak", exact=True).click()
    page.get_by_role("button", name="Show the call").click()
    for language in LANGUAGES:
        folder = tmp_path / language
        folder.mkdir()
        run(language, shown(page, language), folder)
        data = (folder / "cedar.wav").read_bytes()
        assert data.startswith(b"RIFF"), language
        assert len(data) > 10_000


def test_32_no_view_shows_data_before_a_key(page_of: PageOf, locked: Server) -> None:
    made = page_of(locked, allowed=(401,))
    with locked.client(key="") as client:
        words = client.get("models").json()["error"]["message"]
    assert "API key" in words
    for view in ("transcribe", "speak", "voices", "live", "server"):
        page = made.open(view)
        page.locator("dialog[open]").get_by_text(words).wait_for()
        page.wait_for_selector("h1")
        assert page.locator("main :is(.voices li, table, .cards, .facts, blockquote)").count() == 0
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("alert").get_by_text("API key").wait_for()
    asked = len(made.paths())
    page.evaluate("document.body.click()")
    page.wait_for_timeout(2500)  # the view looks again every two seconds
    assert page.locator("dialog").count() == 0, "who gives no key is not asked until he wants it"
    assert len(made.paths()) == asked
    page.get_by_role("button", name="Try again").click()
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Use this key").click()
    page.wait_for_selector("dialog[open] >> text=/Incorrect API key/")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    page.wait_for_selector("table tr")


STORES = """() => new Promise((resolve, reject) => {
  const opening = indexedDB.open('keyval-store');
  opening.onerror = reject;
  opening.onsuccess = () => {
    const store = opening.result.transaction('keyval').objectStore('keyval');
    const all = store.getAll();
    all.onerror = reject;
    all.onsuccess = () => resolve(JSON.stringify(
      [{...localStorage}, {...sessionStorage}, document.cookie, location.href, all.result]));
  };
})"""


def test_33_the_key_is_nowhere(page_of: PageOf, locked: Server) -> None:
    made, page = unlocked(page_of, locked)
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    page.set_input_files("input[type=file]", {"name": "a.wav", "mimeType": "audio/wav", "buffer": HUM})
    page.wait_for_selector("text=3 words")
    with page.expect_download() as saving:
        page.locator("summary", has_text="Export").click()
        page.get_by_role("button", name="Data (json)").click()
    assert KEY not in saving.value.path().read_text()
    page.get_by_role("button", name="Show the call").click()
    page.wait_for_selector("dialog[open] pre")
    assert KEY not in page.content()
    wait_until(lambda: '"word0"' in page.evaluate(STORES), 60)
    page.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Speak").click()
    page.get_by_role("textbox", name="Text").fill("Good day.")
    page.get_by_role("button", name="Speak", exact=True).click()
    page.wait_for_selector(".takes li")
    page.get_by_role("button", name="Show the call").click()
    page.wait_for_selector("dialog[open] pre")
    for view in ("speak", "voices", "live", "server"):
        page = made.open(view)
        assert KEY not in page.content()
    page.wait_for_selector("table td")
    assert KEY not in page.content()
    assert KEY not in page.evaluate(STORES)
    assert KEY not in "".join(lines)
    assert not [request.url for request in made.requests if KEY in request.url]
    sent = {request.headers.get("authorization") for request in made.requests if "/v1/" in request.url}
    assert sent == {None, f"Bearer {KEY}"}, "this server was asked with it: the test would see it"


def test_33_the_key_stays_in_the_tab_only_where_the_user_says_so(page_of: PageOf, locked: Server) -> None:
    _, page = unlocked(page_of, locked)
    page.reload()
    page.get_by_role("checkbox", name="Remember it for this tab").check()
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    page.wait_for_selector("dialog", state="detached")
    stored = page.evaluate("[Object.values({...sessionStorage}), Object.values({...localStorage})]")
    assert KEY in stored[0]
    assert KEY not in stored[1]
    with page.expect_response("**/v1/about") as answering:
        page.reload()
    assert answering.value.status == 200
    assert page.locator("dialog").count() == 0
