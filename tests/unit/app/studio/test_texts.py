"""The server reads the same texts from the page's modules as a browser does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from app.studio.texts import filled, languages
from tests.conftest import ROOT
from tests.support.node import BIN

FOLDER = ROOT / "app/studio/static/js/i18n"
SOURCES = {f"js/i18n/{path.name}": path.read_bytes() for path in FOLDER.glob("*.js")}
PRINT = """
const told = {};
const [, folder, ...codes] = process.argv;
for (const code of codes) told[code] = (await import(`${folder}/${code}.js`)).default;
console.log(JSON.stringify(told));
"""


def test_each_text_is_what_the_page_shows() -> None:
    read = languages(SOURCES)
    command: list[str | Path] = [BIN / "node", "--input-type=module", "-e", PRINT, FOLDER.as_uri(), *read]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    told = json.loads(done.stdout)
    assert told == read
    assert len(told) == len(SOURCES) - 1
    assert len(told["en"]) > 200


@pytest.mark.parametrize(
    "entry", ["  'a.b': 'it\\'s',\n", "  a: 'x',\n", "  'a': `x`,\n", "  ...more,\n", ""]
)
def test_what_it_cannot_read_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match="is not read"):
        languages({"js/i18n/xx.js": f"// @ts-check\nexport default {{\n{entry}}};\n".encode()})


def test_texts_are_no_markup_and_backticks_are_code() -> None:
    texts = {"a": "1 < 2 & `x`", "b": "Theme: {name}", "c": 'the "dark" one'}
    assert filled("<p>{a}</p>", texts) == "<p>1 &lt; 2 &amp; <code>x</code></p>"
    assert filled('<p title="{b name=c}">', texts) == '<p title="Theme: the &quot;dark&quot; one">'
    with pytest.raises(KeyError):
        filled("{d}", texts)
