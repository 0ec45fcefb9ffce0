"""Makes cues that people can read from words with times, and writes them as SubRip and WebVTT.

Law: pure. Cues have all words in order and never overlap; `cue_breaks` decides where they break.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from app.domain import SpokenSegment
from app.wire.cue_breaks import CueRules, best_groups, columns, lines_of
from engines.punctuation import SENTENCE_ENDS
from engines.types import Segment, Word

PARAGRAPH_PAUSE = 2.0
"""A pause of so many seconds ends a paragraph: no cue contains it."""
PARAGRAPH_WORDS = 200
"""Words after which a paragraph ends at the next end of a sentence; after twice as many it ends at any word.
"""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    start: float
    """Seconds from the start of the audio."""
    end: float
    """Seconds from the start of the audio."""
    lines: tuple[str, ...]
    speaker: str = ""


def make_spoken_cues(
    spoken: Sequence[SpokenSegment], rules: CueRules, duration: float, *, named: bool
) -> list[Cue]:
    """Makes cues that have one speaker each. `named`: the first cue of each turn begins with the speaker's
    name.
    """
    cues: list[Cue] = []
    for segment in spoken:
        begins = not cues or cues[-1].speaker != segment.speaker
        prefix = f"{segment.speaker}: " if named and begins else ""
        groups = _groups(_prefixed(segment.words, prefix), rules)
        cues += [replace(_cue(group, rules), speaker=segment.speaker) for group in groups]
    return _stretch(cues, rules, duration)


def make_cues(segments: Sequence[Segment], rules: CueRules, duration: float) -> list[Cue]:
    """The cues of a transcript of `duration` seconds."""
    return _stretch([_cue(group, rules) for group in _groups(_words(segments), rules)], rules, duration)


def to_srt(cues: Iterable[Cue]) -> str:
    """Writes SubRip: blocks are numbered from 1, and a comma stands before the milliseconds."""
    blocks = (
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_safe(cue.lines)}\n"
        for number, cue in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def to_vtt(cues: Iterable[Cue]) -> str:
    """Writes WebVTT (https://www.w3.org/TR/webvtt1/): a dot stands before the milliseconds, `&` and `<` are
    escaped.
    """
    blocks = (
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_voice(cue)}{_escaped(_safe(cue.lines))}\n"
        for cue in cues
    )
    return "\n".join(["WEBVTT\n", *blocks])


def _groups(words: Iterable[Word], rules: CueRules) -> Iterator[Sequence[Word]]:
    """The words of each cue."""
    narrow = [piece for word in words for piece in _narrow(word, rules.width)]
    for paragraph in _paragraphs(narrow):
        yield from best_groups(paragraph, rules)


def _prefixed(words: Sequence[Word], prefix: str) -> Iterator[Word]:
    tidy = _tidy(words)
    for word in tidy:
        yield replace(word, text=prefix + word.text.lstrip()) if prefix else word
        yield from tidy


def _words(segments: Sequence[Segment]) -> Iterator[Word]:
    for segment in segments:
        yield from _tidy(segment.words if segment.words is not None else _spread(segment))


def _tidy(words: Iterable[Word]) -> Iterator[Word]:
    for word in words:
        if text := re.sub(r"\s+", " ", word.text).rstrip():
            yield replace(word, text=text, end=max(word.end, word.start))


def _spread(segment: Segment) -> list[Word]:
    """Words of a segment that has no word times: its time is divided in proportion to their lengths."""
    texts = re.findall(r"\s*\S+", segment.text)
    whole = sum(map(len, texts)) or 1
    length, at, words = segment.end - segment.start, segment.start, []
    for text in texts:
        until = at + length * len(text) / whole
        words.append(Word(text, at, until, 1.0))
        at = until
    return words


def _narrow(word: Word, width: int) -> list[Word]:
    """A word that is longer than a line, in pieces that share its time."""
    if columns(word.text.strip()) <= width:
        return [word]
    size = max(1, width // 2) if columns(word.text) > len(word.text) else width
    text = word.text.strip()
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    step = (word.end - word.start) / len(pieces)
    lead = " " if word.text.startswith(" ") else ""
    return [
        Word((lead if i == 0 else "") + piece, word.start + i * step, word.start + (i + 1) * step, 1.0)
        for i, piece in enumerate(pieces)
    ]


def _paragraphs(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Divides words into paragraphs at long pauses. Long paragraphs also end with a sentence, to bound the
    search for cues.
    """
    run: list[Word] = []
    for word in words:
        far = bool(run) and word.start - run[-1].end >= PARAGRAPH_PAUSE
        full = len(run) > PARAGRAPH_WORDS and (
            run[-1].text.endswith(SENTENCE_ENDS) or len(run) > 2 * PARAGRAPH_WORDS
        )
        if far or full:
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _cue(group: Sequence[Word], rules: CueRules) -> Cue:
    return Cue(group[0].start, group[-1].end, lines_of(group, rules))


def _stretch(cues: Sequence[Cue], rules: CueRules, duration: float) -> list[Cue]:
    """Extends cues until they can be read, but not beyond the next cue or the end of the audio."""
    stretched: list[Cue] = []
    at = 0.0
    for index, cue in enumerate(cues):
        after = cues[index + 1].start if index + 1 < len(cues) else max(duration, cue.end)
        start = max(cue.start, at)
        wanted = start + max(rules.shortest, sum(map(columns, cue.lines)) / rules.speed)
        end = min(max(cue.end, wanted), start + rules.longest, max(after, start))
        end = max(end, start + 0.001)
        stretched.append(replace(cue, start=start, end=end))
        at = end
    return stretched


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


def _safe(lines: Iterable[str]) -> str:
    """The text without arrows and empty lines, which would end the text of a cue."""
    return "\n".join(line.replace("-->", "→") for line in lines)


def _voice(cue: Cue) -> str:
    """The voice span of a cue, whose end tag may be left out (WebVTT, 3.4)."""
    return f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
