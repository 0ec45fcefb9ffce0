"""Who spoke when: pyannote.audio's speaker diarization, fed block by block.

Bredin (2023), pyannote.audio 2.1 speaker diarization pipeline, https://doi.org/10.21437/Interspeech.2023-105;
Plaquet, Bredin (2023), Powerset multi-class cross entropy loss, https://arxiv.org/abs/2310.13025.

Windows of ten seconds are segmented and their speakers embedded as the sound comes in; what is kept are
numbers, not samples. Clustering and reconstruction, which need all of them, are pyannote's own and run at
the end.

Law: engine calls only; which threads and whose turn it is are the app's business.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from engines.errors import EngineError
from engines.pyannote import setup
from engines.speakers.runs import LocalSpeaker, RunBook
from engines.types import (
    SAMPLE_RATE,
    Diarization,
    DiarizeOptions,
    EngineOptions,
    KnownSpeaker,
    Pcm,
    Samples,
    SpeakerTurn,
)

STEP, APART, CLUSTER = 0.25, 0.55, 4
"""Of the starter pipeline: step in windows, mean cosine distance of two speakers, least windows of one."""
KNOWN = 0.5
"""Cosine from which a cluster is a known speaker (docs/decisions/0006)."""
BATCH = 8
"""Windows that the segmentation model sees at once."""
FLIP = 0.05
"""Seconds; shorter turns are flickering between frames."""


class _Voices(Protocol):
    """How the speakers of a window get their vectors."""

    def speakers(self, window: Samples, active: Any, start: float, book: RunBook) -> list[LocalSpeaker]: ...

    def embed(self, samples: Samples) -> Samples: ...


def check() -> None:
    """Raises `EngineMissing`."""
    setup.check()


def load(folder: Path, options: EngineOptions) -> PyannoteDiarizer:
    """Raises `EngineMissing` or `WeightsBroken`."""
    setup.prepare(options)
    from engines.pyannote.pipeline import OwnVoices, PipelineVoices, adopt, starter_pipeline

    where = setup.device(options)
    if (folder / setup.PIPELINE).exists():
        pipeline = adopt(setup.pipeline(folder, trusted=options.trusted), where)
        return PyannoteDiarizer(pipeline, PipelineVoices(pipeline))
    model, network = setup.starter(folder)
    pipeline = starter_pipeline(model, STEP, APART, CLUSTER, where)
    return PyannoteDiarizer(pipeline, OwnVoices(network, where))


class PyannoteDiarizer:
    """One pipeline; any number of streams, one at a time at work."""

    def __init__(self, pipeline: Any, voices: _Voices) -> None:
        self._pipeline = pipeline
        self._voices = voices

    span = hop = 20 * SAMPLE_RATE

    def look(self, samples: Samples, start: float, *, end: bool) -> Samples:
        return samples

    def assemble(self, seen: Sequence[Samples], options: DiarizeOptions) -> Diarization:
        stream = PyannoteStream(self._pipeline, self._voices, options)
        for samples in seen:
            stream.feed(samples)
        return stream.flush()

    def embed(self, sound: Pcm) -> Samples:
        """A unit vector. `sound`: speech of `SAMPLE_RATE` hertz without long silence."""
        short = max(0, SAMPLE_RATE // 2 - len(sound.samples))
        return self._voices.embed(np.pad(sound.samples, (0, short)))

    def close(self) -> None:
        self._pipeline = None


class PyannoteStream:
    """One audio."""

    def __init__(self, pipeline: Any, voices: _Voices, options: DiarizeOptions) -> None:
        self._pipeline = pipeline
        self._voices = voices
        self._options = options
        inference = pipeline._segmentation  # noqa: SLF001 - pyannote keeps the model there and offers no other door
        self._infer = inference.infer
        self._window = round(inference.duration * SAMPLE_RATE)
        self._step = round(inference.step * SAMPLE_RATE)
        self._waiting: Samples = np.zeros(0, np.float32)
        self._seen = 0
        self._book = RunBook()
        self._windows: list[list[LocalSpeaker]] = []
        self._frames = 0

    def feed(self, samples: Samples) -> None:
        self._seen += len(samples)
        self._waiting = np.concatenate([self._waiting, samples])
        ready = (len(self._waiting) - self._window) // self._step + 1
        for begin in range(0, max(ready, 0), BATCH):
            self._work(min(BATCH, ready - begin))

    def flush(self) -> Diarization:
        """The last, incomplete window is padded with silence, as in pyannote itself."""
        covered = len(self._windows) * self._step + self._window - self._step
        if self._seen and (not self._windows or self._seen > covered):
            self._waiting = np.pad(self._waiting, (0, self._window - len(self._waiting)))
            self._work(1)
        if not any(speaker.vector is not None for window in self._windows for speaker in window):
            return Diarization()
        return self._clustered()

    def _work(self, count: int) -> None:
        """The first `count` windows that wait; what no later window needs is forgotten."""
        import torch

        at = np.arange(count)[:, None] * self._step + np.arange(self._window)
        windows = self._waiting[at]
        found = np.asarray(self._infer(torch.from_numpy(windows)[:, None])) > 0.5
        self._frames = found.shape[1]
        for window, active in zip(windows, found, strict=True):
            start = len(self._windows) * self._step / SAMPLE_RATE
            self._windows.append(self._voices.speakers(window, active, start, self._book))
        self._waiting = self._waiting[count * self._step :]

    def _clustered(self) -> Diarization:
        from engines.pyannote.pipeline import features

        wanted = self._options
        segmentations, vectors = self._tables()
        file = {
            "uri": "audio",
            "segmentations": features(segmentations, self._window, self._step),
            "embeddings": vectors,
        }
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints how many clusters it found
                result = self._pipeline.apply(
                    file,
                    num_speakers=wanted.speakers,
                    min_speakers=wanted.least,
                    max_speakers=wanted.most,
                )
        except (ValueError, IndexError) as wrong:
            raise EngineError("The speakers of this audio could not be told apart.") from wrong
        return _diarization(result, self._seen / SAMPLE_RATE, wanted.known)

    def _tables(self) -> tuple[Samples, Samples]:
        """(windows, frames, speakers) activity; (windows, speakers, numbers) vectors, NaN where none is."""
        most = max(len(window) for window in self._windows)
        vectors = [s.vector for window in self._windows for s in window if s.vector is not None]
        activity = np.zeros((len(self._windows), self._frames, most), np.float32)
        table = np.full((len(self._windows), most, len(vectors[0])), np.nan, np.float32)
        for row, window in enumerate(self._windows):
            for column, speaker in enumerate(window):
                activity[row, :, column] = speaker.frames
                if speaker.vector is not None:
                    table[row, column] = speaker.vector
        return activity, table


def _diarization(result: Any, seconds: float, known: tuple[KnownSpeaker, ...]) -> Diarization:
    """Annotations as values, speakers numbered in the order in which they begin."""
    turns = _turns(result.speaker_diarization, seconds)
    exclusive = _turns(result.exclusive_speaker_diarization, seconds)
    order = {label: number for number, label in enumerate(dict.fromkeys(turn[2] for turn in turns))}
    labels = result.speaker_diarization.labels()
    centroids = {label: result.speaker_embeddings[i] for i, label in enumerate(labels)}
    names = _names([centroids[label] for label in order], known)
    return Diarization(
        tuple(SpeakerTurn(start, end, order[label]) for start, end, label in turns),
        tuple(SpeakerTurn(start, end, order[label]) for start, end, label in exclusive if label in order),
        names,
    )


def _turns(annotation: Any, seconds: float) -> list[tuple[float, float, str]]:
    """Windows are padded, so ends may lie behind the audio's."""
    found = []
    for segment, _, label in annotation.itertracks(yield_label=True):
        end = min(segment.end, seconds)
        if end - segment.start >= FLIP:
            found.append((max(segment.start, 0.0), end, label))
    return sorted(found)


def _names(centroids: list[Samples], known: tuple[KnownSpeaker, ...]) -> tuple[str | None, ...]:
    """One-to-one: the assignment of known speakers to clusters with the greatest likeness in all."""
    from scipy.optimize import linear_sum_assignment

    names: list[str | None] = [None] * len(centroids)
    if not known or not centroids:
        return tuple(names)
    table = np.nan_to_num(np.array([[_cosine(c, k.vector) for k in known] for c in centroids]), nan=-1.0)
    for cluster, person in zip(
        *linear_sum_assignment(np.where(table >= KNOWN, table, 0.0), maximize=True), strict=True
    ):
        if table[cluster, person] >= KNOWN:
            names[cluster] = known[person].name
    return tuple(names)


def _cosine(one: Samples, two: Samples) -> float:
    size = float(np.linalg.norm(one) * np.linalg.norm(two))
    return float(one @ two) / size if size and math.isfinite(size) else math.nan
