"""Reads a pipeline in pyannote's layout without running anything from its files.

A PyTorch checkpoint is a pickle and a `config.yaml` names classes: both could name any function of this
machine, and pyannote's own loader would call it. Here a pickle may build tensors, plain values and the few
classes of `_inert_classes`; every other name in a file is compared with the lists below and never imported.

Law: no name that a file gives is imported or called. Imported late, after `setup.prepare`.
"""

from __future__ import annotations

import inspect
import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import yaml
from pyannote.audio.core.plda import PLDA
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.pipelines import SpeakerDiarization
from torch.torch_version import TorchVersion

from engines.errors import NeedsTrust, WeightsBroken

PIPELINES = (
    "pyannote.audio.pipelines.SpeakerDiarization",
    "pyannote.audio.pipelines.speaker_diarization.SpeakerDiarization",
)
SEGMENTATION = {"PyanNet": "pyannote.audio.models.segmentation"}
"""Class of a network -> its package. (SSeRiouSS is not here: its own parameters name a file to unpickle.)"""
EMBEDDING = {
    "XVectorMFCC": "pyannote.audio.models.embedding",
    "XVectorSincNet": "pyannote.audio.models.embedding",
    "WeSpeakerResNet34": "pyannote.audio.models.embedding",
    "WeSpeakerResNet152": "pyannote.audio.models.embedding",
    "WeSpeakerResNet221": "pyannote.audio.models.embedding",
    "WeSpeakerResNet293": "pyannote.audio.models.embedding",
}
CLUSTERINGS = ("VBxClustering", "AgglomerativeClustering", "KMeansClustering")
SECTIONS = frozenset({"version", "dependencies", "pipeline", "params", "freeze"})
"""The keys that a `config.yaml` may have. Preprocessors are left out: they name classes and open files."""
PLAIN = frozenset(
    {
        "segmentation_step",
        "segmentation_batch_size",
        "embedding_batch_size",
        "embedding_exclude_overlap",
        "legacy",
    }
)
"""Parameters of a pipeline that are numbers or true/false."""
PARTS = frozenset({"segmentation", "embedding", "plda"})
"""Parameters of the pipeline that name a folder within it, as `$model/segmentation` does."""
CONFIG_BYTES = 1 << 16
LONGEST_WINDOW = 60.0
"""The most seconds of a network's input; the published ones have 5 to 10."""


def read_pipeline(folder: Path) -> Any:
    """The pipeline in `folder`. Raises `NeedsTrust`, `WeightsBroken`, and what the libraries raise."""
    config = read_config(folder / "config.yaml")
    given = config["pipeline"].get("params") or {}
    options = {name: given[name] for name in PLAIN & given.keys()}
    clustering = given.get("clustering", CLUSTERINGS[0])
    pipeline = SpeakerDiarization(
        segmentation=read_model(_part(folder, given, "segmentation"), SEGMENTATION),
        embedding=read_model(_part(folder, given, "embedding"), EMBEDDING),
        plda=_plda(folder, given, clustering),
        clustering=clustering,
        **options,
    )
    if config.get("freeze"):
        pipeline.freeze(config["freeze"])
    if config.get("params"):
        pipeline.instantiate(config["params"])
    return pipeline


def read_config(path: Path) -> dict[str, Any]:
    """Reads a `config.yaml`, all of whose names must be on the lists above. Raises `NeedsTrust` or
    `WeightsBroken`.
    """
    with path.open("rb") as file:
        data = file.read(CONFIG_BYTES + 1)
    if len(data) > CONFIG_BYTES:
        raise WeightsBroken("The `config.yaml` of the diarization pipeline is too long.")
    config = yaml.safe_load(data)
    if not isinstance(config, dict) or not isinstance(config.get("pipeline"), dict):
        raise WeightsBroken("The `config.yaml` of the diarization pipeline describes no pipeline.")
    pipeline = config["pipeline"]
    given = pipeline.get("params") or {}
    _listed("pipeline", pipeline.get("name"), PIPELINES)
    _listed("clustering", given.get("clustering", CLUSTERINGS[0]), CLUSTERINGS)
    for section in config:
        _listed("section", section, SECTIONS)
    for name, value in given.items():
        _listed("parameter", name, PLAIN | PARTS | {"clustering"})
        if name in PLAIN and not isinstance(value, int | float):
            raise WeightsBroken(f"`{name}` in the `config.yaml` of the diarization pipeline is no number.")
    return config


def read_model(path: Path, known: dict[str, str]) -> Any:
    """The network of a checkpoint, if its class is in `known`. Raises the same errors as `read_pipeline`."""
    torch.serialization.add_safe_globals(_inert_classes())
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as wrong:
        raise NeedsTrust(f"`{path.parent.name}/{path.name}` holds more than numbers and names") from wrong
    own = checkpoint["pyannote.audio"]
    name, module = own["architecture"]["class"], own["architecture"]["module"]
    _listed("network", name, known)
    if not f"{module}.".startswith(f"{known[name]}."):
        raise NeedsTrust(f"a checkpoint names the module {_quoted(module)}")
    network = getattr(import_module(known[name]), name)
    model = network(**_accepted(network, checkpoint.get("hyper_parameters") or {}))
    _check_specifications(own["specifications"])
    model.on_load_checkpoint(checkpoint)
    model.load_state_dict(
        checkpoint["state_dict"], strict=False
    )  # the weights of a loss function may be unused
    return model.eval()


def _inert_classes() -> list[Any]:
    """Classes that pyannote's checkpoints hold beside tensors; making one of them does nothing else."""
    return [Problem, Resolution, Specifications, TorchVersion]


def _accepted(network: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The stored parameters that the network has; those of the training task are dropped."""
    names = inspect.signature(network).parameters.keys() - {"task"}
    return {name: value for name, value in given.items() if name in names}


def _check_specifications(given: Any) -> None:
    for one in given if isinstance(given, tuple) else (given,):
        if not isinstance(one, Specifications) or not 0 < float(one.duration) <= LONGEST_WINDOW:
            raise WeightsBroken(
                "The checkpoint of the diarization pipeline does not say what it was made for."
            )


def _part(folder: Path, given: dict[str, Any], name: str) -> Path:
    return _subfolder(folder, given, name) / "pytorch_model.bin"


def _plda(folder: Path, given: dict[str, Any], clustering: str) -> Any:
    """The probabilistic scoring (PLDA), which only one kind of clustering uses. NumPy's loader refuses
    pickles.
    """
    if clustering != "VBxClustering":
        return PLDA.__new__(PLDA)
    return PLDA.from_pretrained(_subfolder(folder, given, "plda"))


def _subfolder(folder: Path, given: dict[str, Any], name: str) -> Path:
    """The folder of a part, which must lie in the pipeline's own folder."""
    written = given.get(name, f"$model/{name}")
    if written != f"$model/{name}" or not (folder / name).is_dir():
        raise WeightsBroken(
            f"The `config.yaml` of the diarization pipeline must name its `{name}` as `$model/{name}`, a "
            "folder within the pipeline's own; models of other repositories are not fetched."
        )
    return folder / name


def _listed(what: str, name: object, known: Any) -> None:
    if not isinstance(name, str) or name not in known:
        raise NeedsTrust(f"it names the {what} {_quoted(name)}")


def _quoted(name: object) -> str:
    return f"`{ascii(name)[:80]}`"
