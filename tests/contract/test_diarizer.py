"""What every diarizer must do."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app.runtime.diarizer_stretches import DiarizerStretches
from bench import torch_starter
from engines import catalog
from engines.contracts import Diarizer
from engines.errors import WeightsBroken
from engines.types import (
    SAMPLE_RATE,
    Diarization,
    DiarizeOptions,
    EngineOptions,
    KnownSpeaker,
    Pcm,
    Samples,
)
from engines.work import LookSize, Seen, Stretch
from tests.conftest import JFK, ROOT
from tests.support.conversations import Conversation, Say, kokoro, talk
from tests.support.fake_diarizer import ToneDiarizer
from tests.support.pipelines import write_pipeline
from tests.support.sound import decode, noise, silence, tone

MODEL = "pyannote-starter"
VOICES = ("af_kore", "am_eric", "bf_isabella", "am_santa", "am_puck", "af_jessica", "am_onyx", "af_river")
"""The eight English voices of Kokoro that are least like one another."""
PITCHES = dict(zip(VOICES, range(200, 3400, 400), strict=True))

LOADERS: dict[str, Callable[[Path, EngineOptions], Diarizer]] = {
    "speakers": lambda folder, options: catalog.diarizer("speakers").load(folder, options),
    "pyannote": torch_starter.load,
}
"""Both real engines, on the same weights."""

Talk = Callable[[int, int], Conversation]
"""Number of voices and of sentences -> a conversation."""


@dataclass(frozen=True)
class Made:
    """A diarizer and somebody who talks so that it can hear it."""

    engine: Diarizer
    talk: Talk
    sound: Callable[[str], Samples]
    """A sentence of one voice."""


def sentences() -> list[str]:
    return (ROOT / "tests/data/sentences.txt").read_text().splitlines()


def _tones(voice: str, text: str) -> Samples:
    return tone(len(text) / 15, PITCHES[voice])


@pytest.fixture(
    scope="module", params=["tones", *(pytest.param(name, marks=pytest.mark.real) for name in LOADERS)]
)
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    say: Say
    if request.param == "tones":
        say = _tones
        engine: Diarizer = ToneDiarizer()
    else:
        storage: Path = request.getfixturevalue("storage")
        say = kokoro(storage / "weights/kokoro-82m")
        engine = LOADERS[request.param](storage / "weights" / MODEL, EngineOptions())

    def conversation(voices: int, count: int) -> Conversation:
        return talk(VOICES[:voices], sentences()[:count], say, seed=voices)

    yield Made(engine, conversation, lambda voice: say(voice, sentences()[-1]))
    engine.close()


def diarized(
    engine: Diarizer, samples: Samples, options: DiarizeOptions | None = None, block: int = 0
) -> Diarization:
    """Diarizes as the runner does: sound comes in blocks of any length and is cut by the engine's rules."""
    cutter = DiarizerStretches(LookSize(engine.span, engine.hop))
    parts: list[Stretch] = []
    for at in range(0, len(samples), block or max(len(samples), 1)):
        parts += cutter.feed(samples[at : at + (block or len(samples))])
    parts += cutter.flush()
    seen = [pickled(engine.look(part.samples, part.start, end=part.end)) for part in parts]
    return engine.assemble(seen, options or DiarizeOptions()) if seen else Diarization()


def pickled(seen: Seen) -> Seen:
    """As it comes back from another process."""
    return pickle.loads(pickle.dumps(seen))  # noqa: S301 - our own bytes


def right(conversation: Conversation, found: Diarization) -> float:
    """The share of the turns in whose middle the result has the right speaker.

    A label stands for the person in whose turn it was first found.
    """
    labels: dict[int, str] = {}
    good = 0
    for turn in conversation.turns:
        middle = (turn.start + turn.end) / 2
        heard = [t.speaker for t in found.exclusive if t.start <= middle <= t.end]
        good += bool(heard) and labels.setdefault(heard[0], turn.speaker) == turn.speaker
    return good / len(conversation.turns)


def test_two_speakers_and_the_shape_of_the_answer(made: Made) -> None:
    conversation = made.talk(2, 8)
    found = diarized(made.engine, conversation.samples)
    assert len(found.names) == 2
    assert right(conversation, found) == 1.0
    assert all(0 <= turn.start < turn.end <= conversation.seconds for turn in found.turns)
    assert [turn.start for turn in found.turns] == sorted(turn.start for turn in found.turns)
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(found.exclusive))
    order = list(dict.fromkeys(turn.speaker for turn in found.turns))
    assert order == list(range(len(order)))


def test_the_answer_does_not_depend_on_the_blocks(made: Made) -> None:
    samples = made.talk(2, 8).samples
    whole = diarized(made.engine, samples)
    assert diarized(made.engine, samples, block=7_001) == whole
    assert diarized(made.engine, samples, block=20 * SAMPLE_RATE) == whole


def test_eight_speakers(made: Made) -> None:
    conversation = made.talk(8, 24)
    found = diarized(made.engine, conversation.samples)
    assert 7 <= len(found.names) <= 9
    assert right(conversation, found) >= 0.8


def test_one_speaker_is_one(made: Made) -> None:
    found = diarized(made.engine, made.talk(1, 6).samples)
    assert len(found.names) == 1


def test_nobody(made: Made) -> None:
    for samples in (silence(12), silence(0.2), silence(0)):
        assert diarized(made.engine, samples) == Diarization()


def test_noise_and_clicks_are_answered(made: Made) -> None:
    clicks = silence(15)
    clicks[::SAMPLE_RATE] = 1.0
    for samples in (noise(15, 0.2), clicks):
        found = diarized(made.engine, samples)
        assert all(turn.end <= 15 for turn in found.turns)


def test_known_speakers_are_named_and_strangers_are_not(made: Made) -> None:
    conversation = made.talk(3, 12)
    voices = list(dict.fromkeys(turn.speaker for turn in conversation.turns))
    known = tuple(
        KnownSpeaker(name, made.engine.embed(Pcm(made.sound(name)))) for name in (*voices[:2], VOICES[5])
    )
    found = diarized(made.engine, conversation.samples, DiarizeOptions(known=known))
    assert set(found.names) == {voices[0], voices[1], None}
    assert right(conversation, found) >= 0.9
    for number, name in enumerate(found.names):
        longest = max((t for t in found.exclusive if t.speaker == number), key=lambda t: t.end - t.start)
        middle = (longest.start + longest.end) / 2
        talking = next(t.speaker for t in conversation.turns if t.start <= middle <= t.end)
        assert name in (talking, None)


@pytest.mark.real
@pytest.mark.parametrize("name", LOADERS)
def test_the_number_of_speakers_can_be_given(storage: Path, name: str) -> None:
    engine = LOADERS[name](storage / "weights" / MODEL, EngineOptions())
    say = kokoro(storage / "weights/kokoro-82m")
    conversation = talk(VOICES[:3], sentences()[:12], say, seed=3)
    assert len(diarized(engine, conversation.samples, DiarizeOptions(speakers=2)).names) == 2
    assert len(diarized(engine, conversation.samples, DiarizeOptions(most=2)).names) <= 2
    assert len(diarized(engine, conversation.samples, DiarizeOptions(least=4)).names) >= 3


@pytest.mark.real
def test_weights_that_are_none(tmp_path: Path) -> None:
    for name in ("segmentation.bin", "campplus_cn_en_common.pt"):
        (tmp_path / name).write_bytes(b"no weights")
    for engine in ("speakers", "pyannote"):
        with pytest.raises(WeightsBroken):
            catalog.diarizer(engine).load(tmp_path, EngineOptions())
    (tmp_path / "config.yaml").write_text("pipeline: {name: no.such.Class}")
    with pytest.raises(WeightsBroken):
        catalog.diarizer("pyannote").load(tmp_path, EngineOptions())


@pytest.mark.real
def test_weights_of_another_shape(storage: Path, tmp_path: Path) -> None:
    """The encoder's file in the place of the segmentation's, and the other way round."""
    names = ("segmentation.bin", "campplus_cn_en_common.pt")
    for name, other in zip(names, reversed(names), strict=True):
        (tmp_path / name).symlink_to(storage / "weights" / MODEL / other)
    with pytest.raises(WeightsBroken):
        catalog.diarizer("speakers").load(tmp_path, EngineOptions())


@pytest.mark.real
@pytest.mark.parametrize("name", LOADERS)
def test_nobody_is_told_about_it(storage: Path, tmp_path: Path, name: str) -> None:
    """Loading and running open no socket at all; the default engine does without PyTorch."""
    folder = storage / "weights" / MODEL
    if name == "pyannote":
        folder = tmp_path
        write_pipeline(storage / "weights" / MODEL, folder)
    script = f"""
import socket, sys
if {name!r} == "speakers":
    sys.modules.update(dict.fromkeys(("torch", "torchaudio", "pyannote", "pyannote.audio")))
def refuse(*args, **kwargs):
    print("a socket", file=sys.stderr)
    raise OSError("no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from pathlib import Path
import numpy as np
from engines import catalog
from engines.types import DiarizeOptions, EngineOptions
engine = catalog.diarizer({name!r}).load(Path({str(folder)!r}), EngineOptions())
sound = np.random.default_rng(1).normal(0, 0.1, 200_000).astype(np.float32)
engine.assemble([engine.look(sound, 0.0, end=True)], DiarizeOptions())
assert ("torch" in sys.modules and sys.modules["torch"] is not None) == ({name!r} == "pyannote")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert "a socket" not in done.stderr
    assert done.stdout == ""


@pytest.mark.real
def test_the_default_engine_needs_at_most_200_megabytes(storage: Path) -> None:
    """Beyond a server that has loaded ONNX Runtime, which detects speech there: loaded, and at work. While it
    is loaded, the weights are there two or three times for a moment. At rest, it has less than at work.
    """
    script = f"""
from pathlib import Path
import numpy as np, onnxruntime
from app.runtime.threads_placement import ThreadsPlacement
from engines.heap import return_free_memory
from engines.types import EngineOptions
from engines.work import Look, Order, Stretch
from tests.support.sound import decode

def megabytes(kind="VmRSS:"):
    return int(Path("/proc/self/status").read_text().split(kind)[1].split()[0]) * 1024 / 1e6

speech = np.tile(decode(Path({str(JFK)!r}).read_bytes()), 7)
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = megabytes()
folder = Path({str(storage / "weights" / MODEL)!r})
host = ThreadsPlacement().open(Order("diarization", "speakers", folder, EngineOptions()))
loaded, peak = megabytes(), megabytes("VmHWM:")
for _ in range(2):
    host.look(Look([Stretch(speech[: host.looks.span], 0.0, end=True)]))
working = megabytes()
host.rest()
return_free_memory()
print(loaded - before, working - before, peak - before, megabytes() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    loaded, working, loading, resting = map(float, done.stdout.split())
    assert max(loaded, working) < 200, done.stdout
    assert loading < 230, done.stdout
    assert resting < working - 20, done.stdout


@pytest.mark.real
def test_a_pipeline_of_pyannote_s_own_layout(storage: Path, tmp_path: Path) -> None:
    """As `pyannote/speaker-diarization-community-1` is laid out; that one needs its terms accepted."""
    write_pipeline(storage / "weights" / MODEL, tmp_path / "pipeline")
    engine = catalog.diarizer("pyannote").load(tmp_path / "pipeline", EngineOptions())
    samples = np.concatenate([decode(JFK.read_bytes()), silence(2)])
    found = diarized(engine, samples)
    assert found.turns
    assert found.turns[-1].end <= 11.1
    assert engine.embed(Pcm(samples[:SAMPLE_RATE])).shape == (256,)
    assert diarized(engine, silence(3)) == Diarization()
