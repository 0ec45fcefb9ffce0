"""The texts of the page, read from the modules of JavaScript in which the page has them.

Law: pure; what it cannot read is an error, so that no text is missing silently.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

Texts = Mapping[str, str]
"""The texts of one language by their keys."""
_FOLDER = "js/i18n/"
_TABLE = re.compile(r"export default \{\n(.*)\};\n", re.DOTALL)
_ENTRY = re.compile(r"""\s+'([\w.-]+)':\s+'([^'\\]*)',\n""")
"""A key and its text. The texts have typographic quotes, so no sign in them is escaped."""
_PLACE = re.compile(r"\{([\w.-]+)(?: (\w+)=([\w.-]+))?\}")
"""In HTML: `{key}`, or `{key name=other}` where the first text has a place `{name}` for the second."""


def languages(sources: Mapping[str, bytes]) -> dict[str, Texts]:
    """All languages of the page by their codes."""
    names = [name for name in sources if name.startswith(_FOLDER) and name != f"{_FOLDER}index.js"]
    return {name[len(_FOLDER) : -len(".js")]: _texts(sources[name].decode()) for name in names}


def _texts(module: str) -> Texts:
    table = _TABLE.search(module)
    entries = table.group(1) if table else ""
    if not entries or _ENTRY.sub("", entries).strip():
        raise ValueError("this module of texts has an entry that is not read")
    return dict(_ENTRY.findall(entries))


def filled(page: str, texts: Texts) -> str:
    """The HTML with the texts filled in. What stands between backticks in a text becomes a `code` element."""

    def text(place: re.Match[str]) -> str:
        key, name, other = place.groups()
        told = texts[key].replace(f"{{{name}}}", texts[other]) if name else texts[key]
        return re.sub(r"`(.*?)`", r"<code>\1</code>", html.escape(told))

    return _PLACE.sub(text, page)
