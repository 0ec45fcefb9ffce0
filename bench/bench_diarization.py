"""Who spoke when and who said what: our engine beside others on the same weights.

    .venv/bin/python -m bench.bench_diarization FOLDER... [--make FOLDER] [--speakers FOLDER]

FOLDER: sound files with .rttm beside them, and .stm where the words are known. --make: first writes
conversations of two to eight Kokoro voices there, and uses them too. --speakers: clips whose names begin with
the speaker and a hyphen: conversations are made of half of them, and known speakers are looked for with the
other half.

A run may be divided: with `--results FILE`, each call adds what is not there yet, and the table is of all.

Rates are percent. DER is strict and with a collar of 0.25 s, overlapping speech counts. CPU is seconds of
CPU time for a second of audio, MB the most resident memory above that before the system was loaded: give one
system a call for figures that do not touch each other.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from app.container import Container
from app.domain import TranscriptionJob, VadOptions
from app.runtime.diarizer_stretches import DiarizerStretches
from app.services.steps.join_speakers import SpeakerJoiner
from app.settings.load import load_settings
from app.settings.one_process import in_one_process
from bench.diarization_results import FileResult, Results
from bench.diarization_scores import Turns, Words, jer, read_rttm, read_stm
from bench.made_conversations import make_kokoro
from engines.contracts import Diarizer
from engines.speakers import engine as speakers
from engines.types import (
    SAMPLE_RATE,
    Diarization,
    DiarizeOptions,
    EngineOptions,
    KnownSpeaker,
    Pcm,
    Samples,
    Segment,
    TranscribeOptions,
    Window,
)
from engines.work import LookSize
from tests.conftest import ROOT
from tests.support.conversations import Conversation, Said
from tests.support.sound import decode, wav

SOUND = {".flac", ".wav", ".mp3"}
WEIGHTS = ROOT / "data/weights"
GROUPS = {
    "telephone": "telephone",
    "meeting": "meetings",
    "kokoro": "kokoro",
    "heldout": "held out",
    "readers": "readers",
    "filtered": "readers, filtered",
}
"""A part of a file's name, and the group to which such files belong."""
MADE = "made"
"""The group of all other files."""
COLLAR_SECONDS = 0.25


System = Callable[[Samples], Diarization]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--make", type=Path, help="write conversations of known words there")
    parser.add_argument("--speakers", type=Path, help="clips of speakers, for known ones")
    parser.add_argument(
        "--hours", type=float, default=0, help="also one file of this length: memory and time"
    )
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="which to run")
    parser.add_argument(
        "--groups", nargs="+", choices=[*GROUPS.values(), MADE], help="only the files of these groups"
    )
    parser.add_argument(
        "--results",
        type=Path,
        help="keep the results of each file there, and leave out what is there already",
    )
    parser.add_argument("--no-words", action="store_true", help="leave out what needs a transcription")
    parser.add_argument("--windows", action="store_true", help="also transcribe each turn by itself")
    chosen = parser.parse_args()
    if chosen.make:
        make_kokoro(chosen.make)
        chosen.folders.append(chosen.make)
    files = [p for folder in chosen.folders for p in sorted(folder.rglob("*")) if p.suffix in SOUND]
    files = [path for path in files if path.with_suffix(".rttm").exists()]
    files = [path for path in files if not chosen.groups or group(path) in chosen.groups]
    results = Results(chosen.results)
    who_spoke_when(chosen.systems, files, results)
    print("\n".join(results.report()))
    if chosen.hours or chosen.speakers:
        engine = speakers.load(WEIGHTS / "pyannote-starter", EngineOptions())
        if chosen.hours:
            long_file(engine, files, chosen.hours)
        if chosen.speakers:
            known_speakers(engine, chosen.speakers)
    known = [path for path in files if path.with_suffix(".stm").exists()]
    if known and not chosen.no_words:
        systems = {
            name: SYSTEMS[name](WEIGHTS / "pyannote-starter", EngineOptions()) for name in chosen.systems
        }
        asyncio.run(who_said_what(systems, known, windows=chosen.windows))


def group(path: Path) -> str:
    return next((name for mark, name in GROUPS.items() if mark in path.name), MADE)


def _onnx(folder: Path, options: EngineOptions) -> System:
    return partial(diarize, speakers.load(folder, options))


def _torch(folder: Path, options: EngineOptions) -> System:
    from bench import torch_starter  # late: the other systems are measured without PyTorch in memory

    return partial(diarize, torch_starter.load(folder, options))


def _pyannote(folder: Path, _: EngineOptions) -> System:
    from bench.plain_pyannote import PlainPyannote

    return PlainPyannote(folder)


SYSTEMS: dict[str, Callable[[Path, EngineOptions], System]] = {
    "onnx": _onnx,
    "torch": _torch,
    "pyannote": _pyannote,
}
"""The engine of the default install, the same steps on PyTorch, and pyannote's own pipeline."""


def who_spoke_when(systems: Sequence[str], files: Sequence[Path], results: Results) -> None:
    """Measures every file that is not in `results` yet, one system after the other, so that the memory of
    one is not counted for the next.
    """
    import pyannote.metrics.diarization  # noqa: F401 - its libraries are no system's memory

    for name in systems:
        waiting = [path for path in files if not results.known(path.name, name)]
        if not waiting:
            continue
        before = megabytes()
        forget_peak()
        system = SYSTEMS[name](WEIGHTS / "pyannote-starter", EngineOptions())
        for path in waiting:
            results.add(measured(path, name, system, before))
            print(f"{name}: {path.name}", flush=True)


def measured(path: Path, name: str, system: System, before: float) -> FileResult:
    samples, reference = decode(path.read_bytes()), read_rttm(path.with_suffix(".rttm"))
    began, since = time.process_time(), time.perf_counter()
    found = said(system(samples))
    cpu, wall = time.process_time() - began, time.perf_counter() - since
    memory, seconds = megabytes("VmHWM") - before, len(samples) / SAMPLE_RATE
    strict, collar = Turns(), Turns()
    strict.add(reference, found, seconds, 0.0)
    collar.add(reference, found, seconds, COLLAR_SECONDS)
    return FileResult(
        group=group(path),
        system=name,
        file=path.name,
        strict=strict,
        collar=collar,
        jer=jer(reference, found, seconds),
        found=len({turn.speaker for turn in found}),
        true=len({turn.speaker for turn in reference}),
        cpu=cpu,
        wall=wall,
        audio=seconds,
        memory=memory,
    )


def megabytes(kind: str = "VmRSS") -> float:
    """Resident memory of this process in megabytes; with `VmHWM`, its peak since `forget_peak`. Linux
    only.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0]) * 1024 / 1e6


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def diarize(engine: Diarizer, samples: Samples, known: Sequence[KnownSpeaker] = ()) -> Diarization:
    cutter = DiarizerStretches(LookSize(engine.span, engine.hop))
    parts = [*cutter.feed(samples), *cutter.flush()]
    seen = [engine.look(part.samples, part.start, end=part.end) for part in parts]
    return engine.assemble(seen, DiarizeOptions(known=tuple(known)))


def said(found: Diarization) -> list[Said]:
    return [Said(turn.start, turn.end, str(turn.speaker)) for turn in found.turns]


def long_file(engine: Diarizer, files: Sequence[Path], hours: float) -> None:
    """Diarizes one long audio: the files one after the other, until it has so many hours. It is fed in
    blocks, as a server does, and is never whole in memory.
    """
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    cutter, seen, seconds = DiarizerStretches(LookSize(engine.span, engine.hop)), [], 0.0
    while seconds < hours * 3600:
        for path in files:
            samples = decode(path.read_bytes())
            for at in range(0, len(samples), 20 * SAMPLE_RATE):
                parts = cutter.feed(samples[at : at + 20 * SAMPLE_RATE])
                seen += [engine.look(part.samples, part.start, end=part.end) for part in parts]
            seconds += len(samples) / SAMPLE_RATE
    fed = time.process_time()
    seen += [engine.look(part.samples, part.start, end=part.end) for part in cutter.flush()]
    found = engine.assemble(seen, DiarizeOptions())
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{seconds / 3600:.1f} h: {len(found.names)} speakers, {len(found.turns)} turns, "
        f"{(fed - began) / seconds:.3f} CPU s a second and {time.process_time() - fed:.0f} s for the end, "
        f"{(after - before) / 1000:.0f} MB more than before"
    )


def known_speakers(engine: Diarizer, folder: Path) -> None:
    """Asks for known speakers: each conversation has three readers, and two of them and one absent reader
    are named.
    """
    clips: dict[str, list[Samples]] = defaultdict(list)
    for path in sorted(folder.glob("*.*")):
        if path.suffix in SOUND:
            clips[path.name.partition("-")[0]].append(decode(path.read_bytes()))
    found = right = wanted = 0
    likeness: dict[str, list[float]] = {"right": [], "wrong": []}
    for seed in range(8):
        conversation, known, absent = _with_known(clips, seed)
        result = diarize(engine, conversation.samples, [*known, absent])
        for number, name in enumerate(result.names):
            if name is not None:
                found += 1
                right += _mostly(conversation, result, number) == name
        wanted += len(known)
        for one in known:
            for two in [*known, absent]:
                same = "right" if one.name == two.name else "wrong"
                other = clips[two.name][5][: 5 * SAMPLE_RATE] if same == "right" else None
                vector = engine.embed(Pcm(other)) if other is not None else two.vector
                likeness[same].append(float(one.vector @ vector))
    print(
        f"known speakers: precision {100 * right / max(found, 1):.0f} %, recall {100 * right / wanted:.0f} %"
    )
    for name, values in likeness.items():
        print(f"  likeness of {name} clips: {min(values):.2f} to {max(values):.2f}")


def _with_known(
    clips: dict[str, list[Samples]], seed: int
) -> tuple[Conversation, list[KnownSpeaker], KnownSpeaker]:
    chance = random.Random(seed)
    names = chance.sample(sorted(clips), 4)
    engine = speakers.load(WEIGHTS / "pyannote-starter", EngineOptions())
    people = [KnownSpeaker(n, engine.embed(Pcm(clips[n][4][: 6 * SAMPLE_RATE]))) for n in names]
    taken = {name: iter(clips[name][:4]) for name in names[:3]}

    def say(voice: str, _: str) -> Samples:
        return next(taken[voice])[: chance.choice((2, 4, 6)) * SAMPLE_RATE]

    order = [*names[:3], *names[:3], *names[:3]]
    at, turns, sounds = 0.5, [], []
    for name in order:
        sound = say(name, "")
        turns.append(Said(at, at + len(sound) / SAMPLE_RATE, name))
        sounds += [np.zeros(round(chance.choice((0.2, 0.6)) * SAMPLE_RATE), np.float32), sound]
        at += (len(sounds[-2]) + len(sound)) / SAMPLE_RATE
    return Conversation(np.concatenate(sounds), tuple(turns)), people[:2], people[3]


def _mostly(conversation: Conversation, result: Diarization, speaker: int) -> str:
    shares: dict[str, float] = defaultdict(float)
    for turn in [turn for turn in result.turns if turn.speaker == speaker]:
        for other in conversation.turns:
            shares[other.speaker] += max(0.0, min(turn.end, other.end) - max(turn.start, other.start))
    return max(shares, key=lambda name: shares[name])


async def who_said_what(systems: dict[str, System], files: Sequence[Path], *, windows: bool) -> None:
    """Transcribes each file once, and has each system assign the words to speakers. `windows`: also
    transcribes each turn as a window of its own.
    """
    container = Container(in_one_process(load_settings()))
    totals: dict[str, dict[str, Words]] = defaultdict(lambda: defaultdict(Words))
    try:
        for path in files:
            reference = read_stm(path.with_suffix(".stm"))
            samples = decode(path.read_bytes())
            job = TranscriptionJob(model="whisper-1", language="en", vad=VadOptions(), words=True)
            heard = (await container.transcription.transcribe(job, io.BytesIO(wav(samples)))).segments
            rows = totals[group(path)]
            rows["no speakers"].add(reference, [Said(s.start, s.end, "", s.text) for s in heard])
            for name, system in systems.items():
                found = system(samples)
                rows[name].add(reference, _assigned(heard, found))
                if windows:
                    rows[f"{name}, turns are windows"].add(
                        reference, await _by_turns(container, found, samples)
                    )
    finally:
        await container.close()
    for kind, rows in totals.items():
        for name, words in rows.items():
            print(f"{kind}, {name}: {words}")


def _assigned(heard: Sequence[Segment], found: Diarization) -> list[Said]:
    joiner = SpeakerJoiner(found)
    spoken = [*joiner.feed(heard), *joiner.flush()]
    return [Said(s.start, s.end, s.speaker, s.text) for s in spoken]


async def _by_turns(container: Container, result: Diarization, samples: Samples) -> list[Said]:
    found: list[Said] = []
    model = container.registry.resolve("whisper-1")
    with container.runner.admit() as permit:
        for start, end, speaker in _merged(result):
            piece = samples[max(0, round((start - 0.1) * SAMPLE_RATE)) : round((end + 0.1) * SAMPLE_RATE)]
            window = Window(Pcm(piece), start=start, language="en")
            heard = await container.runner.transcribe(model, window, TranscribeOptions(), permit)
            found.append(Said(start, end, str(speaker), "".join(s.text for s in heard.segments)))
    return found


def _merged(result: Diarization) -> list[tuple[float, float, int]]:
    """Exclusive turns, joined where one speaker goes on, of at most 30 s."""
    merged: list[tuple[float, float, int]] = []
    for turn in result.exclusive:
        last: Any = merged[-1] if merged else None
        if last and last[2] == turn.speaker and turn.start - last[1] < 1 and turn.end - last[0] < 29:
            merged[-1] = (last[0], turn.end, turn.speaker)
        elif turn.end - turn.start >= 0.2:
            merged.append((turn.start, min(turn.end, turn.start + 29), turn.speaker))
    return merged


if __name__ == "__main__":
    main()
