"""A diarization pipeline laid out as `pyannote/speaker-diarization-community-1`, with weights of our own.

The segmentation model is the real one of the model `pyannote-starter`. The speaker encoder (a WeSpeaker
ResNet34) and the scoring (PLDA) have the true shapes and random numbers: tests check that it loads.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from engines.pyannote import setup as pyannote_setup
from engines.types import EngineOptions

CONFIG = """\
dependencies:
  pyannote.audio: 4.0.0
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    clustering: VBxClustering
    segmentation: $model/segmentation
    segmentation_batch_size: 8
    embedding: $model/embedding
    embedding_batch_size: 8
    embedding_exclude_overlap: true
    plda: $model/plda
params:
  clustering:
    threshold: 0.6
    Fa: 0.07
    Fb: 0.8
  segmentation:
    min_duration_off: 0.0
"""


def write_pipeline(starter: Path, folder: Path) -> None:
    """Writes the folder of a pipeline. `starter`: the folder of the starter model."""
    for name in ("segmentation", "embedding", "plda"):
        (folder / name).mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    shutil.copy(starter / "segmentation.bin", folder / "segmentation/pytorch_model.bin")
    pyannote_setup.prepare(EngineOptions())
    _write_encoder(folder / "embedding/pytorch_model.bin")
    _write_scoring(folder)


def write_small_pipeline(folder: Path) -> None:
    """The same folder with a small segmentation model of random numbers, so that no weights are needed."""
    for name in ("segmentation", "embedding", "plda"):
        (folder / name).mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    pyannote_setup.prepare(EngineOptions())
    _write_segmentation(folder / "segmentation/pytorch_model.bin")
    _write_encoder(folder / "embedding/pytorch_model.bin")
    _write_scoring(folder)


def _write_scoring(folder: Path) -> None:
    chance = np.random.default_rng(1)
    lda = np.linalg.qr(chance.normal(size=(256, 128)))[0]
    np.savez(folder / "plda/xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=lda)
    psi = np.linspace(3, 0.1, 128)
    np.savez(folder / "plda/plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=psi)


def _write_segmentation(path: Path) -> None:
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.segmentation import PyanNet

    torch.manual_seed(2)
    model = PyanNet(lstm={"hidden_size": 16, "num_layers": 1}, linear={"hidden_size": 16, "num_layers": 1})
    model.specifications = Specifications(
        Problem.MONO_LABEL_CLASSIFICATION,
        Resolution.FRAME,
        10.0,
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    model.setup()
    _save(model, "pyannote.audio.models.segmentation.PyanNet", path)


def _write_encoder(path: Path) -> None:
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    torch.manual_seed(1)
    model = WeSpeakerResNet34()
    model.specifications = Specifications(Problem.REPRESENTATION, Resolution.CHUNK, 10.0)
    _save(model, "pyannote.audio.models.embedding", path)


def _save(model: Any, module: str, path: Path) -> None:
    import torch

    torch.save(
        {
            "state_dict": model.state_dict(),
            "hyper_parameters": dict(model.hparams),
            "pytorch-lightning_version": "2.0.0",
            "pyannote.audio": {
                "versions": {"torch": "2.0.0", "pyannote.audio": "4.0.0"},
                "architecture": {"module": module, "class": type(model).__name__},
                "specifications": model.specifications,
            },
        },
        path,
    )
