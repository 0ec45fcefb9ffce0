"""The vocabulary of speech: the values that engines take and give.

Law: only frozen values and their one-line properties; every field says its unit; no value says for which
client or request it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Task = Literal["transcribe", "translate"]

SAMPLE_RATE = 16_000
"""Hertz of all speech that goes into transcription."""
SURE_PROBABILITY = 0.5
"""A language that is less likely than this may be any other one."""


@dataclass(frozen=True, slots=True, eq=False)
class Pcm:
    """Mono sound, float32 in -1..1."""

    samples: Samples
    rate: int = SAMPLE_RATE
    """Hertz."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of speech of at most 30 seconds, decoded by itself."""

    pcm: Pcm
    start: float = 0.0
    """Seconds from the start of the audio."""
    language: str | None = None
    """ISO 639-1 code (or Whisper's own, such as `haw`); None: detect it."""
    task: Task = "transcribe"
    prompt: str = ""
    """Text that the speech is assumed to follow; its last tokens are used."""
    hotwords: tuple[str, ...] = ()
    """Words to favour."""
    features: Samples | None = None
    """The features that `Transcriber.prepare` computed, if it was called."""

    @property
    def end(self) -> float:
        """Seconds from the start of the audio."""
        return self.start + self.pcm.seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscribeOptions:
    """How to decode; windows with equal options may share a batch."""

    beam_size: int = 5
    greedy_first: bool = False
    """Decode greedily first, and use the beam only if that result is unsure."""
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Temperatures, tried in turn until a result passes the thresholds below."""
    draft: bool = False
    """Whether a rough result is enough, because the same sound will be decoded again: doubtful results are
    not improved, and a repetition loop gives no text."""
    words: bool = False
    """Whether to compute word times."""
    logprobs: bool = False
    """Whether to return the log-probability of every token."""
    compression_ratio_threshold: float = 2.4
    """Text that deflates better than this is a repetition loop."""
    log_prob_threshold: float = -1.0
    """Mean log-probability under which a result is too unsure."""
    no_speech_threshold: float = 0.6
    """Probability of silence above which an unsure result is dropped."""


@dataclass(frozen=True, slots=True)
class Token:
    """One decoded token."""

    id: int
    data: bytes = b""
    """The UTF-8 bytes it stands for (possibly part of a character); empty for timestamps."""
    logprob: float | None = None
    """Natural logarithm of its probability; None unless asked for."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its time."""

    text: str
    """As decoded: a leading space where the language writes one."""
    start: float
    """Seconds from the start of the audio."""
    end: float
    """Seconds from the start of the audio."""
    probability: float
    """Mean probability of its tokens, 0..1."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A phrase between two timestamps of the model."""

    start: float
    """Seconds from the start of the audio."""
    end: float
    """Seconds from the start of the audio."""
    text: str
    tokens: tuple[Token, ...] = ()
    words: tuple[Word, ...] | None = None
    """None unless asked for."""
    seek: int = 0
    """Where the decoding window began: hundredths of a second from the start of the audio."""
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """The language of a window."""

    code: str
    probability: float
    """0..1; 1 where the language was given."""

    @property
    def sure(self) -> bool:
        """Whether it is likelier than all others together."""
        return self.probability >= SURE_PROBABILITY


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowCost:
    """What it cost to transcribe a window, over all rounds."""

    frames: int = 0
    """Encoder frames (10 ms each)."""
    saved: int = 0
    """Encoder frames that full windows would have taken beyond those, in rounds whose result was kept."""
    reencoded: int = 0
    """Rounds that were encoded again in full, because the result of a short encoding was doubtful."""
    beamed: int = 0
    """Rounds in which a beam search followed the greedy one."""
    fallbacks: int = 0
    """Rounds that used fallback temperatures."""


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What was said in a window."""

    segments: tuple[Segment, ...]
    language: LanguageGuess
    prompt_tokens: int = 0
    """Tokens of the window's prompt and hot words that were used."""
    cost: WindowCost = field(default_factory=WindowCost)


Gender = Literal["female", "male", "neutral"]


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that an engine can speak with."""

    name: str
    """Unique within its model."""
    language: str
    """BCP 47 tag of the language it was made for, such as `en-US`."""
    gender: Gender = "neutral"
    rate: int = 24_000
    """Hertz of the sound it gives."""
    also: tuple[str, ...] = ()
    """ISO 639-1 codes of languages in other scripts that it can read, beside its own language."""
    extra: str = ""
    """The extra that has to be installed before it can speak; empty if it can speak now."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerSample:
    """The sample that a custom voice is computed from."""

    sound: Pcm
    """The whole sample, at the rate that the cloner asks for."""
    speaker: Samples
    """The vector that `SpeakerEncoder.embed` gave for its speech."""
    language: str
    """BCP 47."""


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """A custom voice, computed once from a sample."""

    engine: str
    """Name of the synthesizer that speaks with it."""
    data: bytes
    """Only that engine can read it."""
    voice: str
    """The engine's own voice with the largest share in it; empty where the profile is a clone."""
    similarity: float
    """Cosine between the sample's speaker and a matched voice, by the engine's own measure; 0 for a clone."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownSpeaker:
    """A speaker who is known from a reference clip."""

    name: str
    vector: Samples
    """The vector of the clip, from the `embed` of the same diarizer."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DiarizeOptions:
    """What the caller knows about the speakers of an audio."""

    speakers: int | None = None
    """Number of speakers; None: estimated."""
    least: int | None = None
    most: int | None = None
    known: tuple[KnownSpeaker, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """A stretch in which one speaker speaks."""

    start: float
    """Seconds from the start of the audio."""
    end: float
    """Seconds from the start of the audio."""
    speaker: int
    """Index of the speaker; 0 speaks first."""


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when."""

    turns: tuple[SpeakerTurn, ...] = ()
    """In order of their starts; turns of two speakers may overlap."""
    exclusive: tuple[SpeakerTurn, ...] = ()
    """Turns without overlap: at each time the speaker to whom a word most likely belongs."""
    names: tuple[str | None, ...] = ()
    """For each speaker, the name of the known speaker, or None."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of text of at most some hundred characters, spoken in one breath."""

    text: str
    """Numbers, signs and abbreviations are words already, where the language has a normaliser."""
    voice: str
    """Name of one of the engine's voices."""
    language: str
    """BCP 47 tag of the text's language, which may not be the voice's own."""
    profile: bytes = b""
    """A custom voice, as its `VoiceCloner` made it; empty for the engine's own voices."""
    instructions: str = ""
    """How to speak, in plain words; empty for engines that do not support them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """How to run a model on this machine."""

    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    compute_type: str = "auto"
    """`auto` (int8 on a CPU, float16 on a GPU) or any type that CTranslate2 knows."""
    threads: int = 0
    """CPU threads of one worker; 0: derived from the number of cores."""
    adaptive: bool = False
    """Whether short windows get a short encoding, which costs less."""
    workers: int = 0
    """Batches that one model runs in parallel, on each device; 0: derived from the number of cores."""
    devices: tuple[int, ...] = (0,)
    """GPUs to use, by their numbers."""
    openvino: bool = True
    """Whether OpenVINO may run parts of a model, where it is quicker."""
    trusted: bool = False
    """Whether the operator lets the model's files run code of their author."""
