"""Words with times -> cues that people can read -> SubRip and WebVTT.

Law: pure. Cues carry every word in order and never overlap. Where to break is a shortest path over the words
(each possible cue is an edge, its cost says how badly it reads), not a greedy cut.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from app.domain import SpokenSegment
from engines.types import Segment, Word

SENTENCE = tuple(".!?…。！？")  # noqa: RUF001 - full-width marks are meant
CLAUSE = tuple(",;:–—、，；：")  # noqa: RUF001 - full-width marks are meant
PARAGRAPH_PAUSE = 2.0
"""Seconds of silence that no cue spans."""
PAUSE = 0.4
"""Seconds of silence that make a good break."""


@dataclass(frozen=True, slots=True)
class CueRules:
    """The shape of a cue."""

    width: int = 42
    """Columns of a line (a wide character takes two)."""
    lines: int = 2
    longest: float = 7.0
    """Seconds."""
    shortest: float = 1.0
    """Seconds, where the next cue leaves room."""
    speed: float = 17.0
    """Columns a second that can be read, where the speech leaves room."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    lines: tuple[str, ...]
    speaker: str = ""


def make_spoken_cues(
    spoken: Sequence[SpokenSegment], rules: CueRules, duration: float, *, named: bool
) -> list[Cue]:
    """Cues of one speaker each. `named`: the first cue of each turn begins with who speaks."""
    cues: list[Cue] = []
    for segment in spoken:
        begins = not cues or cues[-1].speaker != segment.speaker
        prefix = f"{segment.speaker}: " if named and begins else ""
        made = [_cue(group, rules) for group in _groups(_prefixed(segment.words, prefix), rules)]
        cues += [replace(cue, speaker=segment.speaker) for cue in made]
    return _stretch(cues, rules, duration)


def make_cues(segments: Sequence[Segment], rules: CueRules, duration: float) -> list[Cue]:
    """The cues of a transcript of `duration` seconds."""
    return _stretch([_cue(group, rules) for group in _groups(_words(segments), rules)], rules, duration)


def to_srt(cues: Iterable[Cue]) -> str:
    """SubRip: blocks numbered from 1, a comma before the milliseconds."""
    blocks = (
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_safe(cue.lines)}\n"
        for number, cue in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def to_vtt(cues: Iterable[Cue]) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/): a dot before the milliseconds, `&` and `<` escaped."""
    blocks = (
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_voice(cue)}{_escaped(_safe(cue.lines))}\n"
        for cue in cues
    )
    return "\n".join(["WEBVTT\n", *blocks])


@lru_cache(maxsize=65536)
def columns(text: str) -> int:
    """Columns that a text takes: two for wide characters, none for combining ones."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _groups(words: Iterable[Word], rules: CueRules) -> Iterator[list[Word]]:
    """The words of each cue."""
    narrow = [piece for word in words for piece in _narrow(word, rules.width)]
    for paragraph in _paragraphs(narrow, rules):
        yield from _best_groups(paragraph, rules)


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
    """Words of a segment without word times: each gets time by its length."""
    texts = re.findall(r"\s*\S+", segment.text)
    whole = sum(map(len, texts)) or 1
    length, at, words = segment.end - segment.start, segment.start, []
    for text in texts:
        until = at + length * len(text) / whole
        words.append(Word(text, at, until, 1.0))
        at = until
    return words


def _narrow(word: Word, width: int) -> list[Word]:
    """A word that no line holds, in pieces that share its time."""
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


def _paragraphs(words: Sequence[Word], rules: CueRules) -> Iterator[list[Word]]:
    """Runs of words between long pauses; long runs also end with a sentence, to bound the search."""
    run: list[Word] = []
    for word in words:
        far = bool(run) and word.start - run[-1].end >= PARAGRAPH_PAUSE
        full = len(run) > 200 and (run[-1].text.endswith(SENTENCE) or len(run) > 400)
        if far or full:
            yield run
            run = []
        run.append(word)
    if run:
        yield run


def _best_groups(words: Sequence[Word], rules: CueRules) -> list[list[Word]]:
    """The cheapest way to divide the words into cues."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for stop in range(1, len(words) + 1):
        options = []
        for start in range(stop - 1, -1, -1):
            cost = _cost(words, start, stop, rules)
            if cost is None:
                break
            options.append((best[start][0] + cost, start))
        best.append(min(options))
    groups, stop = [], len(words)
    while stop:
        start = best[stop][1]
        groups.append(list(words[start:stop]))
        stop = start
    return groups[::-1]


def _cost(words: Sequence[Word], start: int, stop: int, rules: CueRules) -> float | None:
    """How badly words[start:stop] would read as a cue; None: it does not fit."""
    group = words[start:stop]
    seconds = group[-1].end - group[0].start
    size = sum(columns(word.text) for word in group)
    if len(group) > 1 and (size > rules.width * rules.lines + 1 or seconds > rules.longest):
        return None
    lines = _wrap(group, rules)
    if lines is None:
        return None
    after = words[stop].start if stop < len(words) else math.inf
    room = min(max(after - group[0].start, seconds), rules.longest)
    hurry = max(0.0, size / rules.speed - room) + 2 * max(0.0, rules.shortest - room)
    return 1.0 + 2 * hurry + _break_cost(words, stop) + (0.3 if len(lines) > 1 else 0.0)


def _break_cost(words: Sequence[Word], stop: int) -> float:
    """How badly a cue ends before words[stop]."""
    text = words[stop - 1].text
    if stop == len(words) or text.endswith(SENTENCE):
        return 0.0
    if text.endswith(CLAUSE) or words[stop].start - words[stop - 1].end >= PAUSE:
        return 0.7
    # A piece without a space continues a word, or a language that writes none.
    return 2.5 if words[stop].text.startswith(" ") else 3.0


def _wrap(group: Sequence[Word], rules: CueRules) -> tuple[str, ...] | None:
    """The words in at most `lines` lines, evenly filled; None if they do not fit."""
    whole = "".join(word.text for word in group).strip()
    if columns(whole) <= rules.width:
        return (whole,)
    if rules.lines == 2:
        return _two_lines(group, rules)
    return _filled(group, rules)


def _two_lines(group: Sequence[Word], rules: CueRules) -> tuple[str, ...] | None:
    best: tuple[float, tuple[str, ...]] | None = None
    for cut in range(1, len(group)):
        first = "".join(word.text for word in group[:cut]).strip()
        second = "".join(word.text for word in group[cut:]).strip()
        if columns(first) > rules.width or columns(second) > rules.width:
            continue
        uneven = abs(columns(first) - columns(second)) - (10 if first.endswith(SENTENCE + CLAUSE) else 0)
        joined = 0 if group[cut].text.startswith(" ") else 5
        if best is None or uneven + joined < best[0]:
            best = (uneven + joined, (first, second))
    return best[1] if best else None


def _filled(group: Sequence[Word], rules: CueRules) -> tuple[str, ...] | None:
    lines = [""]
    for word in group:
        if lines[-1] and columns((lines[-1] + word.text).strip()) > rules.width:
            lines.append("")
        lines[-1] = (lines[-1] + word.text).lstrip()
    return tuple(lines) if len(lines) <= rules.lines else None


def _cue(group: Sequence[Word], rules: CueRules) -> Cue:
    lines = _wrap(group, rules)
    assert lines is not None  # only groups that fit are chosen, and one word alone always does
    return Cue(group[0].start, group[-1].end, lines)


def _stretch(cues: Sequence[Cue], rules: CueRules, duration: float) -> list[Cue]:
    """Cues stay up until they are read, as far as the next one and the end of the audio allow."""
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
    """No empty line may stand inside a block, and an arrow only in its head."""
    return "\n".join(line.replace("-->", "→") for line in lines)


def _voice(cue: Cue) -> str:
    """The voice span of a cue, whose end tag may be left out (WebVTT, 3.4)."""
    return f"<v {_escaped(cue.speaker)}>" if cue.speaker else ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
