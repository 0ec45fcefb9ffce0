"""pyannote's `SpeakerDiarization` with its first two steps done outside, window by window.

Law: what touches pyannote's classes at import time; imported only by `pyannote.load`, after `pyannote_setup`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import AgglomerativeClustering
from pyannote.core import SlidingWindow, SlidingWindowFeature
from torchaudio.compliance import kaldi

from engines.pyannote.campplus import BANDS, NUMBERS, CamPlusPlus
from engines.speakers.runs import LocalSpeaker, Mask, RunBook, local_speakers
from engines.types import SAMPLE_RATE, Samples

ACTIVE = (0.15, 0.1, 0.05)
"""Share of a window in which a speaker speaks alone, from which their vector counts in the clustering; the
next one is tried where nobody reaches it."""
MOST = 5000
"""Vectors that are clustered; more are thinned evenly, because clustering takes memory by their square."""


class Streamed(SpeakerDiarization):  # type: ignore[misc]  # pyannote has no types
    """Clusters and reconstructs what was segmented and embedded before."""

    def get_segmentations(self, file: Any, hook: Any = None) -> Any:
        return file["segmentations"]

    def get_embeddings(self, file: Any, *_: Any, **__: Any) -> Any:
        return file["embeddings"]


class Clusters(AgglomerativeClustering):  # type: ignore[misc]  # as above
    """pyannote's, for short audio and for very long."""

    def filter_embeddings(
        self, embeddings: Any, segmentations: Any = None, min_active_ratio: float = 0.2
    ) -> Any:
        for ratio in ACTIVE:
            found = super().filter_embeddings(embeddings, segmentations, ratio)
            if len(found[0]):
                break
        step = -(-len(found[0]) // MOST) or 1
        return tuple(part[::step] for part in found)


class _Described:
    """What pyannote asks a speaker encoder that it does not run itself."""

    metric = "cosine"
    sample_rate = SAMPLE_RATE
    dimension = NUMBERS


def starter_pipeline(
    model: Any, step: float, threshold: float, cluster: int, where: torch.device
) -> Streamed:
    """The segmentation model with agglomerative clustering of vectors that come from outside."""
    pipeline = Streamed(
        segmentation=model,
        segmentation_step=step,
        # No probabilistic scoring here, but the constructor would fetch one; and oracle clustering is the
        # only kind for which it does not load a speaker encoder. Both are replaced below.
        plda=PLDA.__new__(PLDA),
        clustering="OracleClustering",
    )
    pipeline.klustering = "AgglomerativeClustering"
    pipeline.clustering = Clusters(metric="cosine")
    pipeline._expects_num_speakers = False  # noqa: SLF001 - as below
    pipeline._embedding = _Described()  # noqa: SLF001 - as pyannote's own constructor does
    pipeline.instantiate(
        {
            "segmentation": {"min_duration_off": 0.0},
            "clustering": {"method": "average", "min_cluster_size": cluster, "threshold": threshold},
        }
    )
    pipeline.to(where)
    return pipeline


def adopt(pipeline: SpeakerDiarization, where: torch.device) -> SpeakerDiarization:
    """A pipeline that was loaded from its own configuration, with its first two steps done outside."""
    pipeline.__class__ = Streamed
    return pipeline.to(where)


def features(table: Samples, window: int, step: int) -> SlidingWindowFeature:
    """(windows, frames, speakers) as pyannote has it. `window`, `step`: samples."""
    return SlidingWindowFeature(
        table, SlidingWindow(start=0.0, duration=window / SAMPLE_RATE, step=step / SAMPLE_RATE)
    )


class OwnVoices:
    """The starter's speaker encoder, which hears each run of speech once."""

    def __init__(self, network: CamPlusPlus, where: torch.device) -> None:
        self._network = network.to(where)
        self._where = where

    def speakers(self, window: Samples, active: Mask, start: float, book: RunBook) -> list[LocalSpeaker]:
        at = np.arange(len(window)) * len(active) // len(window)
        frame = len(window) / SAMPLE_RATE / len(active)
        return local_speakers(active, start, frame, book, lambda frames: self.embed(window[frames[at]]))

    def embed(self, samples: Samples) -> Samples:
        """A colour that does not change is no speaker's: the mean of each band is taken off."""
        bands = _bands(samples)
        with torch.inference_mode():
            found = self._network((bands - bands.mean(0))[None].to(self._where))[0].cpu()
            return np.asarray(found / found.norm(), np.float32)


class PipelineVoices:
    """The speaker encoder that came with a pipeline; it hears whole windows through masks."""

    def __init__(self, pipeline: Any) -> None:
        self._encoder = pipeline._embedding  # noqa: SLF001 - the only place where the pipeline keeps it
        self._exclude = pipeline.embedding_exclude_overlap
        self._samples = pipeline._segmentation.duration * SAMPLE_RATE  # noqa: SLF001 - as above

    def speakers(self, window: Samples, active: Mask, start: float, book: RunBook) -> list[LocalSpeaker]:
        columns = [column for column in active.T if column.any()]
        if not columns:
            return []
        masks = np.stack([self._mask(column, active) for column in columns]).astype(np.float32)
        sound = torch.from_numpy(window)[None, None].expand(len(columns), 1, -1)
        vectors = self._encoder(sound, masks=torch.from_numpy(masks))
        return [
            LocalSpeaker(column, None if np.isnan(vector).any() else vector)
            for column, vector in zip(columns, vectors, strict=True)
        ]

    def embed(self, samples: Samples) -> Samples:
        vector = self._encoder(torch.from_numpy(samples)[None, None])[0]
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def _mask(self, column: Mask, active: Mask) -> Mask:
        """Where nobody else speaks, if that is enough."""
        clean = column & (active.sum(axis=1) < 2)
        enough = clean.mean() > self._encoder.min_num_samples / self._samples
        return clean if self._exclude and enough else column


def _bands(samples: Samples) -> torch.Tensor:
    """(frames, 80) log-mel bands, 100 frames a second."""
    bands: torch.Tensor = kaldi.fbank(
        torch.from_numpy(np.ascontiguousarray(samples))[None],
        num_mel_bins=BANDS,
        sample_frequency=SAMPLE_RATE,
        dither=0.0,
    )
    return bands
