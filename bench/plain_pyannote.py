"""pyannote.audio's own pipeline, whole and unchanged, on the starter weights: what ours is measured by.

Its speaker encoder is our CAM++ behind the interface that pyannote's pipeline asks for; masks, clustering
and all settings are those that gave its best figures (step 0.25, centroid linkage, 0.6).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bench.torch_starter import networks
from engines.types import Diarization, EngineOptions, Samples, SpeakerTurn


class PlainPyannote:
    """Sound of 16 kHz -> turns."""

    def __init__(self, folder: Path) -> None:
        model, network = networks(folder, EngineOptions())
        from pyannote.audio.core.plda import PLDA
        from pyannote.audio.pipelines import SpeakerDiarization
        from pyannote.audio.pipelines.clustering import AgglomerativeClustering

        self._pipeline = SpeakerDiarization(
            segmentation=model,
            segmentation_step=0.25,
            segmentation_batch_size=8,
            embedding_batch_size=8,
            embedding_exclude_overlap=True,
            plda=PLDA.__new__(PLDA),
            clustering="OracleClustering",
        )
        self._pipeline.klustering = "AgglomerativeClustering"
        self._pipeline.clustering = AgglomerativeClustering(metric="cosine")
        self._pipeline._embedding = _Encoder(network)
        self._pipeline._expects_num_speakers = False
        from pyannote.audio import Audio

        self._pipeline._audio = Audio(sample_rate=16_000, mono="downmix")
        self._pipeline.instantiate(
            {
                "segmentation": {"min_duration_off": 0.0},
                "clustering": {"method": "centroid", "min_cluster_size": 6, "threshold": 0.6},
            }
        )

    def __call__(self, samples: Samples) -> Diarization:
        import torch

        sound = {"waveform": torch.from_numpy(samples)[None], "sample_rate": 16_000, "uri": "audio"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self._pipeline.apply(sound).speaker_diarization
        numbers = {label: number for number, label in enumerate(found.labels())}
        turns = [
            SpeakerTurn(turn.start, turn.end, numbers[label])
            for turn, _, label in found.itertracks(yield_label=True)
        ]
        return Diarization(tuple(turns), tuple(turns), (None,) * len(numbers))


class _Encoder:
    metric = "cosine"
    sample_rate = 16_000
    dimension = 192
    min_num_samples = 8_000

    def __init__(self, network: Any) -> None:
        self._network = network

    def __call__(self, sound: Any, masks: Any) -> Samples:
        return np.stack([self._one(wave[0], mask) for wave, mask in zip(sound, masks, strict=True)])

    def _one(self, wave: Any, mask: Any) -> Samples:
        import torch
        from torchaudio.compliance import kaldi

        bands = kaldi.fbank(wave[None], num_mel_bins=80, sample_frequency=16_000, dither=0.0)
        at = (torch.arange(len(bands)) * len(mask) / len(bands)).long()
        chosen = bands[mask[at] > 0.5]
        if len(chosen) < 50:
            return np.full(192, np.nan, np.float32)
        with torch.inference_mode():
            found = self._network((chosen - chosen.mean(0))[None])[0]
        return np.asarray(found, np.float32)
