"""Models outside of the catalogue: what the hub lists, and the trust that they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.models.errors import WeightsError
from app.models.export import export_models, import_models
from app.models.weights import WeightsStore
from tests.support.fake_hub import Hub
from tests.support.toy_model import DATA, KNOWN, bytes_of, toy_file


def lfs(name: str) -> dict[str, object]:
    """A large file, as the hub describes it."""
    return {"size": len(DATA[name]), "sha256": toy_file(name).sha256, "pointerSize": 130}


def test_a_hub_model_without_an_entry(store: WeightsStore, hub: Hub) -> None:
    hub.listing = {
        "sha": "abc",
        "cardData": {"license": "mit"},
        "siblings": [
            {"rfilename": "model.bin", "lfs": lfs("model.bin")},
            {"rfilename": "config.json", "size": len(DATA["config.json"])},
            {"rfilename": "README.md", "size": 10},
            {"rfilename": "../evil", "size": 10},
        ],
    }
    hub.files = {f"/me/small/resolve/abc/{name}": data for name, data in DATA.items()}
    entry = store.pull("me/small")
    assert entry.licence == "mit"
    assert {k: v for k, v in bytes_of(store, "me/small").items() if k != "manifest.json"} == DATA
    assert store.require("me/small")
    # From now on the manifest knows the hashes, those that the hub did not give too.
    offline = WeightsStore(store.folder, hub="", offline=True)
    (store.path("me/small") / "config.json").write_bytes(b'{"a": 2}')
    assert {check.file.name: check.state for check in offline.check("me/small")}["config.json"] == "damaged"
    store.pull("me/small")
    assert store.require("me/small")


def test_a_diarization_pipeline_of_the_hub_has_folders(store: WeightsStore, hub: Hub, tmp_path: Path) -> None:
    files = {"config.yaml": b"a: 1", "segmentation/pytorch_model.bin": b"one", "plda/plda.npz": b"two"}
    hub.listing = {
        "sha": "abc",
        "siblings": [
            *({"rfilename": name, "size": len(data)} for name, data in files.items()),
            {"rfilename": "README.md", "size": 9},
            {"rfilename": "plda/../../evil.bin", "size": 9},
        ],
    }
    hub.files = {f"/py/pipe/resolve/abc/{name}": data for name, data in files.items()}
    entry = store.pull("py/pipe")
    assert (entry.kind, entry.engine) == ("diarization", "pyannote")
    folder = store.require("py/pipe")
    assert {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*") if p.name != "manifest.json"
    } == files
    export_models(store, ["py/pipe"], tmp_path / "pipe.tar")
    other = WeightsStore(tmp_path / "other", hub="", offline=True, known=KNOWN)
    assert import_models(other, tmp_path / "pipe.tar") == ["py/pipe"]
    assert (other.require("py/pipe") / "plda/plda.npz").read_bytes() == b"two"


def test_trust_stays_on_the_machine_whose_operator_gave_it(
    store: WeightsStore, hub: Hub, tmp_path: Path
) -> None:
    hub.listing = {
        "sha": "abc",
        "trusted": True,
        "siblings": [{"rfilename": name, "size": 3} for name in ("config.yaml", "plda/plda.npz")],
    }
    hub.files |= {f"/py/pipe/resolve/abc/{name}": b"abc" for name in ("config.yaml", "plda/plda.npz")}
    store.pull("py/pipe")
    assert not store.trusted("py/pipe")
    store.pull("py/pipe", trust=True)
    store.pull("py/pipe")
    assert store.trusted("py/pipe")
    export_models(store, ["py/pipe"], tmp_path / "pipe.tar")
    other = WeightsStore(tmp_path / "other", hub="", offline=True, known=KNOWN)
    import_models(other, tmp_path / "pipe.tar")
    assert not other.trusted("py/pipe")
    other.pull("py/pipe", trust=True)
    assert other.trusted("py/pipe")
    store.pull("py/pipe", trust=False)
    assert not store.trusted("py/pipe")
    store.pull("toy", trust=True)
    assert not store.trusted("toy")


def test_pocket_tts_lies_in_two_repositories(store: WeightsStore, hub: Hub) -> None:
    hub.listing = {
        "sha": "abc",
        "siblings": [
            {"rfilename": "languages/english/model.safetensors", "size": 3},
            {"rfilename": "languages/english/tokenizer.json", "size": 4},
            {"rfilename": "languages/german/model.safetensors", "size": 9},
        ],
    }
    tokenizers = "/kyutai/pocket-tts-without-voice-cloning/resolve/abc/languages/english/tokenizer.json"
    hub.files = {
        "/kyutai/pocket-tts/resolve/abc/languages/english/model.safetensors": b"one",
        tokenizers: b"four",
    }
    entry = store.pull("kyutai/pocket-tts")
    assert (entry.kind, entry.engine) == ("speech", "pocket-tts")
    folder = store.require("kyutai/pocket-tts")
    assert (folder / "model.safetensors").read_bytes() == b"one"
    assert (folder / "tokenizer.json").read_bytes() == b"four"


def test_a_hub_repository_of_another_kind(store: WeightsStore, hub: Hub) -> None:
    hub.listing = {"sha": "abc", "siblings": [{"rfilename": "README.md", "size": 1}]}
    with pytest.raises(WeightsError, match=r"no `model.bin`"):
        store.pull("me/other")
    with pytest.raises(WeightsError, match="There is no model `unknown`"):
        store.pull("unknown")


def test_the_token_goes_to_the_hub(store: WeightsStore, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    store.pull("toy")
    assert set(hub.tokens) == {"Bearer hf_secret"}


def test_the_token_may_be_in_a_file(
    store: WeightsStore, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(WeightsError, match="HF_TOKEN_FILE names cannot be read"):
        store.pull("toy")
    (tmp_path / "token").write_text("hf_secret\n")
    store.pull("toy")
    assert set(hub.tokens) == {"Bearer hf_secret"}


def test_an_empty_file_is_no_token(
    store: WeightsStore, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").touch()
    monkeypatch.setenv("HF_TOKEN_FILE", str(tmp_path / "token"))
    store.pull("toy")
    assert not any(hub.tokens)


@pytest.mark.parametrize(
    ("status", "listing", "told"),
    [
        (404, {}, "no model `me/x` for you"),
        (401, {}, "set HF_TOKEN"),
        (403, {}, "accept its terms"),
        (500, {}, "answered 500"),
        (200, {"siblings": 7}, "cannot be read"),
        (200, {"siblings": [{"size": 1}]}, "cannot be read"),
        (200, {"siblings": [{"rfilename": "model.bin"}, {"rfilename": "config.json"}]}, "how large"),
    ],
)
def test_answers_of_the_hub_that_are_no_model(
    store: WeightsStore, hub: Hub, status: int, listing: dict[str, object], told: str
) -> None:
    hub.status, hub.listing = status, {"sha": "abc"} | listing
    with pytest.raises(WeightsError, match=told):
        store.pull("me/x")
    assert store.installed() == []


def test_a_hub_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be reached"):
        WeightsStore(tmp_path, hub="http://127.0.0.1:9").pull("me/x")
    with pytest.raises(WeightsError, match="switched off"):
        WeightsStore(tmp_path, hub="http://127.0.0.1:9", offline=True).pull("me/x")
