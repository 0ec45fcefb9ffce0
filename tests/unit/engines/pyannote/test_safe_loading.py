"""No code from a downloaded pipeline is run. Each attack here does work if the operator trusts the model, so
it is a real one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.errors import NeedsTrust, WeightsBroken
from engines.pyannote import setup
from engines.speakers import safe_unpickling as checkpoint_reader
from tests.support.pipelines import CONFIG, write_small_pipeline

pytestmark = pytest.mark.slow


class Command:
    """A pickle that runs a command when it is loaded."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> Any:
        return os.system, (self._command,)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipelines") / "original"
    write_small_pipeline(folder)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "pipeline"))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that each attack would create."""
    return tmp_path / "code-ran"


def checkpoint(folder: Path) -> dict[str, Any]:
    import torch

    loaded: dict[str, Any] = torch.load(folder / "segmentation/pytorch_model.bin", weights_only=False)
    return loaded


def replaced(folder: Path, own: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    """Changes the metadata of the checkpoint and its hyper-parameters."""
    import torch

    stored = checkpoint(folder)
    stored["pyannote.audio"].update(own)
    stored["hyper_parameters"].update(parameters or {})
    torch.save(stored, folder / "segmentation/pytorch_model.bin")


def test_a_pipeline_of_listed_classes_is_loaded_as_pyannote_loads_it(folder: Path) -> None:
    import torch

    sound = torch.randn(1, 1, 160_000, generator=torch.Generator().manual_seed(1))
    ours, theirs = (setup.pipeline(folder, trusted=trusted) for trusted in (False, True))
    with torch.inference_mode():
        first, second = (p._segmentation.model(sound) for p in (ours, theirs))
        assert torch.equal(first, second)
        first, second = (p._embedding(sound) for p in (ours, theirs))
        assert np.array_equal(first, second)
    assert ours.parameters(instantiated=True) == theirs.parameters(instantiated=True)
    assert ours.segmentation_step == theirs.segmentation_step


@pytest.mark.parametrize("part", ["segmentation", "embedding"])
def test_a_pickle_that_runs_a_command_is_refused(folder: Path, mark: Path, part: str) -> None:
    import torch

    torch.save({"state_dict": Command(f"touch {mark}")}, folder / part / "pytorch_model.bin")
    with pytest.raises(NeedsTrust, match="models pull --trust"):
        setup.pipeline(folder)
    assert not mark.exists()
    with pytest.raises(WeightsBroken):
        setup.pipeline(folder, trusted=True)
    assert mark.exists(), "the attack does not work, so the test shows nothing"


def test_a_pickle_in_the_scoring_is_refused(folder: Path, mark: Path) -> None:
    np.savez(folder / "plda/plda.npz", mu=np.array([Command(f"touch {mark}")], object), tr=0, psi=0)
    with pytest.raises(WeightsBroken):
        setup.pipeline(folder)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["segmentation.bin", "campplus_cn_en_common.pt"])
def test_a_pickle_in_the_starter_is_refused(folder: Path, mark: Path, name: str) -> None:
    import torch

    torch.save(checkpoint(folder), folder / "segmentation.bin")
    torch.save({"x": Command(f"touch {mark}")}, folder / name)
    with pytest.raises(WeightsBroken):
        checkpoint_reader.read(folder / name)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pyannote.audio.pipelines.SpeakerDiarization", "os.system"),
        ("pyannote.audio.pipelines.SpeakerDiarization", "antiphon_attack.Pipeline"),
        ("pipeline:", "preprocessors:\n  sound:\n    name: antiphon_attack.Sound\npipeline:"),
        ("VBxClustering", "antiphon_attack"),
        ("embedding_exclude_overlap: true", "token: secret"),
    ],
)
def test_a_configuration_that_names_something_else(folder: Path, mark: Path, old: str, new: str) -> None:
    attacking_module(folder.parent, mark)
    (folder / "config.yaml").write_text(CONFIG.replace(old, new, 1))
    with pytest.raises(NeedsTrust):
        setup.pipeline(folder)
    assert not mark.exists()


def test_a_trusted_configuration_may_name_anything(folder: Path, mark: Path, monkeypatch: Any) -> None:
    attacking_module(folder.parent, mark)
    monkeypatch.syspath_prepend(folder.parent)
    (folder / "config.yaml").write_text("pipeline:\n  name: antiphon_attack.Pipeline\n")
    with pytest.raises(NeedsTrust):
        setup.pipeline(folder)
    assert not mark.exists()
    with pytest.raises(WeightsBroken):
        setup.pipeline(folder, trusted=True)
    assert mark.exists()


def attacking_module(folder: Path, mark: Path) -> None:
    (folder / "antiphon_attack.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch MARK']",
        "pipeline: !!python/object/apply:os.system ['touch MARK']",
        "[" * 5000,
        "pipeline: []",
        "- pipeline",
        "",
        "pipeline:\n  name: [os.system]",
        "a: &a [x]\n" + "# long\n" * 20_000,
    ],
)
def test_strange_configurations_are_refused_in_words(folder: Path, mark: Path, text: str) -> None:
    (folder / "config.yaml").write_text(text.replace("MARK", str(mark)))
    with pytest.raises(WeightsBroken):
        setup.pipeline(folder)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("$model/segmentation", "speechbrain/spkrec-ecapa-voxceleb"),
        ("$model/embedding", "nvidia/titanet"),
        ("$model/embedding", "$model/../other"),
        ("$model/plda", "/etc"),
        ("$model/segmentation", "{checkpoint: $model, subfolder: embedding}"),
        ("segmentation_batch_size: 8", "segmentation_batch_size: [8]"),
    ],
)
def test_parts_lie_in_the_pipeline(folder: Path, old: str, new: str) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace(old, new))
    with pytest.raises(WeightsBroken):
        setup.pipeline(folder)


def test_a_network_outside_the_list_is_not_imported(folder: Path, mark: Path, monkeypatch: Any) -> None:
    attacking_module(folder.parent, mark)
    monkeypatch.syspath_prepend(folder.parent)
    for module, name in (
        ("antiphon_attack", "PyanNet"),
        ("os", "system"),
        ("pyannote.audio.models", "PyanNet"),
    ):
        replaced(folder, {"architecture": {"module": module, "class": name}})
        with pytest.raises(NeedsTrust):
            setup.pipeline(folder)
    assert not mark.exists()


def test_parameters_of_a_checkpoint_name_no_code(folder: Path, mark: Path) -> None:
    """Lightning's own loader would import what `_instantiator` names."""
    names = {"_instantiator": "antiphon_attack.make", "_class_path": "os.system", "task": "os.system"}
    replaced(folder, {}, names)
    setup.pipeline(folder)


def test_a_network_that_wants_hours_at_once(folder: Path) -> None:
    from pyannote.audio.core.task import Problem, Resolution, Specifications

    hours = Specifications(Problem.MONO_LABEL_CLASSIFICATION, Resolution.FRAME, 36_000.0, classes=["a", "b"])
    replaced(folder, {"specifications": hours})
    with pytest.raises(WeightsBroken):
        setup.pipeline(folder)
