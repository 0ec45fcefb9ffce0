"""The call of a result runs as it stands; the key is nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.studio.calls import run, shown
from tests.studio.stage import PageOf, Visit
from tests.support.server import KEY, Server
from tests.support.sound import tone, wav

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


@pytest.mark.parametrize("language", ["curl", "python", "node"])
def test_34_the_call_of_a_transcription_runs(
    page_of: PageOf, locked: Server, tmp_path: Path, language: str
) -> None:
    (tmp_path / "a hum.wav").write_bytes(HUM)
    _, page = unlocked(page_of, locked)
    page.set_input_files("input[type=file]", str(tmp_path / "a hum.wav"))
    page.wait_for_selector("text=3 words")
    page.get_by_role("button", name="Show the call").click()
    assert "req_" in page.locator("dialog").inner_text()
    text = shown(page, language)
    assert KEY not in text
    told = run(language, text, tmp_path)
    events = [json.loads(line.removeprefix("data: ")) for line in told.splitlines() if "{" in line]
    assert [event["text"] for event in events if event["type"] == "transcript.text.done"] == [
        " ".join(page.locator(".turn p").all_inner_texts())
    ]


@pytest.mark.parametrize("language", ["curl", "python", "node"])
def test_34_the_call_of_speech_runs(page_of: PageOf, locked: Server, tmp_path: Path, language: str) -> None:
    _, page = unlocked(page_of, locked, "speak")
    page.get_by_role("textbox", name="Text").fill('It\'s "fine".')
    page.get_by_role("button", name="Speak", exact=True).click()
    page.get_by_role("button", name="Show the call").click()
    run(language, shown(page, language), tmp_path)
    data = (tmp_path / "cedar.wav").read_bytes()
    assert data.startswith(b"RIFF")
    assert len(data) > 10_000


def test_32_no_view_shows_data_before_a_key(page_of: PageOf, locked: Server) -> None:
    made = page_of(locked, allowed=(401,))
    for view in ("transcribe", "speak", "voices", "server"):
        page = made.open(view)
        page.wait_for_selector("dialog[open]")
        assert (
            "Incorrect API key" in page.locator("dialog").inner_text()
            or "API key" in page.locator("dialog").inner_text()
        )
        assert page.locator("main .voices li, main table").count() == 0
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Use this key").click()
    page.wait_for_selector("dialog[open] >> text=/Incorrect API key/")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    page.wait_for_selector("table tr")


def test_33_the_key_is_nowhere(page_of: PageOf, locked: Server) -> None:
    made, page = unlocked(page_of, locked)
    page.set_input_files("input[type=file]", {"name": "a.wav", "mimeType": "audio/wav", "buffer": HUM})
    page.wait_for_selector("text=3 words")
    page.get_by_role("button", name="Show the call").click()
    page.wait_for_selector("dialog[open] pre")
    assert KEY not in page.content()
    stored = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    )
    assert KEY not in stored
    assert not [request.url for request in made.requests if KEY in request.url]
    assert made.requests[-1].headers.get("authorization", f"Bearer {KEY}") == f"Bearer {KEY}"
