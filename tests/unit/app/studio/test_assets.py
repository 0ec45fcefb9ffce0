"""The files of the page: complete, unchanged, and sent with the headers that keep strangers out."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import httpx2
import pytest

from app.studio import assets
from app.studio.assets import COMPRESSED, FILE_HEADERS, HEADERS, MEDIA_TYPES, load_page
from app.studio.texts import filled
from tests.conftest import ROOT

STATIC = ROOT / "app/studio/static"
OURS = sorted(
    path
    for path in STATIC.rglob("*")
    if path.suffix in {".js", ".css", ".html"} and "vendor" not in path.parts
)
FORBIDDEN = re.compile(
    r"style=|innerHTML|unsafeHTML|unsafe-html|\beval\(|new Function|http://(?!www\.w3\.org)|https://"
)


def vendored() -> list[tuple[str, str]]:
    listed = json.loads((STATIC / "vendor/vendor.json").read_text())
    return [(name, digest) for package in listed for name, digest in package["files"].items()]


@pytest.mark.parametrize(("name", "digest"), vendored())
def test_libraries_are_byte_for_byte_those_of_their_packages(name: str, digest: str) -> None:
    assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


def test_every_vendored_file_is_listed_with_its_licence() -> None:
    there = {
        str(path.relative_to(STATIC / "vendor")) for path in (STATIC / "vendor").rglob("*") if path.is_file()
    }
    assert there - {"vendor.json"} == {name for name, _ in vendored()}
    notices = (ROOT / "THIRD_PARTY_NOTICES.md").read_text()
    for package in json.loads((STATIC / "vendor/vendor.json").read_text()):
        assert package["name"] in notices
        assert any(re.match(r".*/LICEN[SC]E$", name) for name in package["files"])


def test_the_page_has_every_file_and_one_digest() -> None:
    page = load_page()
    names = {str(p.relative_to(STATIC)) for p in STATIC.rglob("*") if p.suffix in MEDIA_TYPES}
    styles = {name for name in names if name.endswith(".css")}
    assert set(page.files) == names - styles - {"index.html"} | {"page.css"}
    assert all((STATIC / name).read_bytes() in page.files["page.css"].data for name in styles)
    assert load_page() == page
    for code, index in page.indexes.items():
        html = index.data.decode()
        for address in re.findall(r'(?:href|src)="(studio/[^"]+)"', html):
            assert address.removeprefix(f"studio/{page.digest}/") in page.files
        assert not re.search(r"[{}]|<!--", html), "every place is filled"
        assert 20 < html.count("modulepreload") <= 45, (
            "what the page loads before it draws its own first view"
        )
        assert f"js/i18n/{code}.js" in html
        assert "views/transcript.js" not in html


def test_files_are_compressed_once() -> None:
    page = load_page()
    for name, asset in {**page.files, "index.html": page.indexes["de"]}.items():
        if Path(name).suffix in COMPRESSED:
            assert asset.compressed
            assert gzip.decompress(asset.compressed) == asset.data


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(STATIC)))
def test_nothing_is_inline_and_nothing_leaves(path: Path) -> None:
    assert not FORBIDDEN.search(path.read_text())
    assert len(path.read_text().splitlines()) <= 400


async def test_headers_and_caching(client: httpx2.AsyncClient) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    answer = await client.get(f"{root}/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert all(answer.headers[name] == value for name, value in HEADERS.items())
    again = await client.get(f"{root}/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["vary"] == answer.headers["vary"]
    digest = load_page().digest
    script = await client.get(f"{root}/studio/{digest}/js/main.js")
    assert script.status_code == 200
    assert all(script.headers[name] == value for name, value in FILE_HEADERS.items())
    assert "content-security-policy" not in script.headers
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-encoding"] == "gzip"
    assert (await client.head(f"{root}/")).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "given"),
    [
        ("gzip", True), ("br, GZIP;q=0.5", True), ("*", True), ("gzip;q=1.000", True),
        ("gzip;q=0", False), ("gzip; q=0.0, *", False), ("*;q=0", False), ("identity", False),
        ("xgzip", False), ("", False),
    ],
)  # fmt: skip
async def test_only_who_takes_gzip_gets_it(client: httpx2.AsyncClient, accepted: str, given: bool) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    url = f"{root}/studio/{load_page().digest}/js/main.js"
    script = await client.get(url, headers={"accept-encoding": accepted})
    assert ("content-encoding" in script.headers) == given
    assert script.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    "name", ["studio/0/js/main.js", "studio/{digest}/../settings.py", "studio/{digest}/nothing.js"]
)
async def test_other_files_are_404(client: httpx2.AsyncClient, name: str) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    answer = await client.get(f"{root}/{name.format(digest=load_page().digest)}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_url"


@pytest.mark.parametrize(
    ("accepted", "given"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"), ("fr", "fr"), ("ES-mx", "es"), ("nl, de;q=0.5", "de"),
        ("en;q=0.5, fr;q=0.9", "fr"), ("de;q=0, fr;q=0.1", "fr"), ("ja", "en"), ("", "en"), ("*", "en"),
        (";;,=;q,\x80;q=x", "en"), ("nl," * 4_000 + "de", "en"),
    ],
)  # fmt: skip
async def test_the_page_comes_in_the_language_of_the_browser(
    client: httpx2.AsyncClient, accepted: str, given: str
) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    answer = await client.get(f"{root}/", headers={b"accept-language": accepted.encode("latin-1")})
    assert f'<html lang="{given}"' in answer.text
    assert f'<option value="{given}" selected' in answer.text
    assert answer.text.count(" selected ") == 1
    assert answer.headers["content-language"] == given
    assert answer.headers["vary"] == "accept-encoding, accept-language"
    assert answer.headers["etag"] == load_page().tags[given]


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ("{tag}", 304), ("W/{tag}", 304), ('"other", {tag}', 304), ("*", 304),
        ('"other"', 200), ("", 200), ("tag", 200), ('"a*"', 200),
    ],
)  # fmt: skip
async def test_a_browser_that_has_the_page_gets_no_second_one(
    client: httpx2.AsyncClient, known: str, status: int
) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    strong = load_page().tags["en"].removeprefix("W/")
    answer = await client.get(f"{root}/", headers={"if-none-match": known.format(tag=strong)})
    assert answer.status_code == status


def test_html_that_is_filled_otherwise_is_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same files: what fills the HTML is a part of the program."""
    before = load_page()
    monkeypatch.setattr(assets, "filled", lambda page, texts: f"{filled(page, texts)}\n")
    after = load_page()
    assert after.digest == before.digest
    assert not set(after.tags.values()) & set(before.tags.values())


async def test_another_language_is_another_page_for_caches(client: httpx2.AsyncClient) -> None:
    root = str(client.base_url).removesuffix("/v1/")
    german = await client.get(f"{root}/", headers={"accept-language": "de"})
    wanted = {"accept-language": "fr", "if-none-match": german.headers["etag"]}
    assert (await client.get(f"{root}/", headers=wanted)).status_code == 200
