"""The files of the page, ready to be sent: types, gzip, one digest over all, and the HTML with its preloads.

Law: pure but for reading the folder once; knows no web framework.
"""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from app.studio.texts import Texts, filled, languages

MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".opus": "audio/ogg",
    ".svg": "image/svg+xml",
}
COMPRESSED = frozenset({".css", ".html", ".js", ".json", ".mjs", ".svg"})
INDEX = "index.html"
STYLES = ("tokens", "base", "parts", "transcript", "views")
STYLE_SHEET = "page.css"
"""All style sheets in this order as one file: nothing is painted before each of them has come."""
_IMPORT = re.compile(r"""\b(?:import|from)\s*["'](\.{1,2}/[^"']+)["']""")
"""A static import. Those of bundled libraries stand without spaces."""
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
FILE_HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
"""Headers of every file. The other headers are sent with the document alone: they apply to the whole page."""
HEADERS: Mapping[str, str] = {
    **FILE_HEADERS,
    "content-security-policy": CONTENT_POLICY,
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}
"""Headers of the document itself."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page, as it is sent to browsers."""

    data: bytes
    compressed: bytes | None
    """The bytes compressed by gzip; None if that does not make them smaller."""
    media_type: str


@dataclass(frozen=True, slots=True)
class Page:
    """All files of the page. Each address has the digest of all files, so browsers may cache a file
    for ever.
    """

    digest: str
    indexes: Mapping[str, Asset]
    """The HTML with its first view, for each language of the page."""
    tags: Mapping[str, str]
    """The entity tag of each HTML: of what is sent, so that it changes with the program that fills it."""
    files: Mapping[str, Asset]


def load_page() -> Page:
    """Reads the files that the package ships."""
    sources = dict(_walk(files("app.studio").joinpath("static"), ""))
    sources[STYLE_SHEET] = b"".join(sources.pop(f"css/{name}.css") for name in STYLES)
    mark = _digest(sources)
    html = sources.pop(INDEX).decode()
    modules = _imported("js/main.js", sources)
    indexes = {
        code: _asset(INDEX, _index(html, {**texts, "language": code, "base": f"studio/{mark}"}, modules))
        for code, texts in languages(sources).items()
    }
    tags = {code: _tag(index) for code, index in indexes.items()}
    return Page(mark, indexes, tags, {name: _asset(name, data) for name, data in sources.items()})


def _digest(sources: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\0{len(sources[name])}\0".encode() + sources[name])
    return digest.hexdigest()[:16]


def _tag(index: Asset) -> str:
    return f'W/"{hashlib.sha256(index.data).hexdigest()[:16]}"'


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif _ending(name) in MEDIA_TYPES:
            found.append((name, entry.read_bytes()))
    return found


def _index(html: str, texts: Texts, modules: Collection[str]) -> bytes:
    """The HTML in one language, which is the chosen one of its menu, with a preload for each module of the
    first view.

    Without preloads, modules that import modules cost a round trip for each level.
    """
    code = texts["language"]
    names = sorted({*modules, f"js/i18n/{code}.js"})
    links = "\n".join(f'    <link rel="modulepreload" href="{{base}}/{name}">' for name in names)
    page = html.replace("<!-- preloads -->", links.strip())
    return filled(page.replace(f'<option value="{code}"', f'<option value="{code}" selected'), texts).encode()


def _imported(first: str, sources: Mapping[str, bytes]) -> set[str]:
    """The module and all that it imports, step by step; an `import()` at run time does not count."""
    reached: set[str] = set()
    open_ends = [first]
    while open_ends:
        name = open_ends.pop()
        if name in reached:
            continue
        reached.add(name)
        targets = _IMPORT.findall(sources[name].decode())
        open_ends += [posixpath.normpath(posixpath.join(posixpath.dirname(name), one)) for one in targets]
    return reached


def _asset(name: str, data: bytes) -> Asset:
    ending = _ending(name)
    # The time is left out of the gzip header, so that the same file always gives the same bytes.
    small = gzip.compress(data, 9, mtime=0) if ending in COMPRESSED else None
    return Asset(data, small, MEDIA_TYPES[ending])


def _ending(name: str) -> str:
    return name[name.rfind(".") :]
