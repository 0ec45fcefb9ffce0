"""A transcript as a Word document: three parts of Office Open XML (ECMA-376) in a zip file.

Law: pure; the same transcript always gives the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPES = (
    f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS = (
    f'{_HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'officeDocument" Target="word/document.xml"/></Relationships>'
)
_OLDEST_DATE = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip file can hold: with a fixed date the bytes do not depend on the day."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """The paragraph of one turn."""

    head: str
    """The speaker and the time, printed bold; empty: no such heading."""
    text: str


def to_docx(title: str, paragraphs: Iterable[Paragraph], language: str = "") -> bytes:
    """The bytes of a Word document. `language`: a BCP 47 tag for the spelling checker; empty: the
    language of the reader's program.
    """
    mark = f'<w:lang w:val="{escape(language, {chr(34): "&quot;"})}"/>' if language else ""
    body = [_paragraph([(title, f'<w:b/><w:sz w:val="32"/>{mark}')])] if title else []
    for one in paragraphs:
        head = [(f"{one.head}  ", f"<w:b/>{mark}")] if one.head else []
        body.append(_paragraph([*head, (one.text, mark)]))
    document = (
        f'{_HEAD}<w:document xmlns:w="{_MAIN}"><w:body>{"".join(body)}<w:sectPr/></w:body></w:document>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (
            ("[Content_Types].xml", _TYPES),
            ("_rels/.rels", _RELATIONS),
            ("word/document.xml", document),
        ):
            entry = zipfile.ZipInfo(name, _OLDEST_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return out.getvalue()


def _paragraph(runs: Iterable[tuple[str, str]]) -> str:
    """One paragraph as XML. `runs`: pieces of text with their properties."""
    inner = "".join(_run(text, look) for text, look in runs)
    return f'<w:p><w:pPr><w:spacing w:after="160"/></w:pPr>{inner}</w:p>'


def _run(text: str, look: str) -> str:
    properties = f"<w:rPr>{look}</w:rPr>" if look else ""
    return f'<w:r>{properties}<w:t xml:space="preserve">{escape(_allowed(text))}</w:t></w:r>'


def _allowed(text: str) -> str:
    """The text without characters that XML 1.0 forbids (section 2.2)."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff"))
