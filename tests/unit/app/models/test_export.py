"""Export and import of models: a tar from a stranger can write nothing but verified files."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from app.models.errors import WeightsError
from app.models.export import export_models, import_models
from app.models.manifest import manifest_bytes
from app.models.weights import WeightsStore
from tests.support.toy_model import DATA, KNOWN, TOY, bytes_of


def test_export_and_import_on_another_machine(store: WeightsStore, tmp_path: Path) -> None:
    store.pull("toy")
    export_models(store, ["toy"], tmp_path / "set.tar")
    other = WeightsStore(tmp_path / "other", hub="", offline=True, known=KNOWN)
    assert import_models(other, tmp_path / "set.tar") == ["toy"]
    assert bytes_of(other) == DATA
    assert other.require("toy")


def test_an_export_of_damaged_weights_is_refused(store: WeightsStore, tmp_path: Path) -> None:
    store.pull("toy")
    (store.path("toy") / "config.json").write_bytes(b"x")
    with pytest.raises(WeightsError, match="damaged"):
        export_models(store, ["toy"], tmp_path / "set.tar")
    assert not list(tmp_path.glob("*set.tar*"))


def tar_of(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return path


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("toy/model.bin")
    info.type, info.linkname = kind, target
    return info


HEAD = ("toy/manifest.json", manifest_bytes(TOY))
MODEL, CONFIG = ("toy/model.bin", DATA["model.bin"]), ("toy/config.json", DATA["config.json"])
STRANGE: dict[str, Any] = json.loads(manifest_bytes(TOY))


def strange(**change: Any) -> tuple[str, bytes]:
    return "other/manifest.json", json.dumps(STRANGE | change).encode()


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ((), "holds no models"),
        ((HEAD, ("toy/../../evil", b"x")), "should not hold"),
        ((HEAD, ("toy/evil", b"x")), "should not hold"),
        ((("../evil", b"x"),), "cannot be the name"),
        ((("/etc/evil", b"x"),), "cannot be the name"),
        ((("..--evil/manifest.json", HEAD[1]),), "cannot be the name"),
        ((strange(files={"../../evil": {"size": 1, "sha256": "0" * 64}}),), "not the name of a file"),
        ((strange(files={"evil": {"size": 1, "sha256": ""}}), ("other/evil", b"x")), "must have a `sha256`"),
        ((("other/manifest.json", b"[]"),), "not a JSON object"),
        ((("other/manifest.json", b"[" * 900_000),), "not valid JSON"),
        ((("other/manifest.json", b" " * 2_000_000),), "longer than"),
        ((MODEL, HEAD), "does not begin"),
        ((HEAD, link(tarfile.SYMTYPE, "/etc/passwd")), "not a plain file"),
        ((HEAD, link(tarfile.LNKTYPE, "toy/manifest.json")), "not a plain file"),
        ((HEAD, link(tarfile.FIFOTYPE, "")), "not a plain file"),
        ((HEAD, ("toy/model.bin", b"x" * 3_000_000)), "wrong hash"),
        ((HEAD, ("toy/model.bin", b"x" * 3_000_001)), "not a plain file of 3000000 bytes"),
        ((HEAD, MODEL, MODEL), "should not hold"),
        ((HEAD, MODEL), "lacks `config.json`"),
        ((HEAD,), "lacks `model.bin`"),
        ((HEAD, ("x" * 3_000_000, b"")), "not an export"),
    ],
    ids=range(21),
)
def test_hostile_exports_write_nothing(tmp_path: Path, members: Any, told: str) -> None:
    refused(tmp_path, tar_of(tmp_path / "in.tar", *members), told)


def refused(folder: Path, tar: Path, told: str) -> None:
    store = WeightsStore(folder / "weights", hub="", offline=True, known=KNOWN)
    with pytest.raises(WeightsError, match=told):
        import_models(store, tar)
    with pytest.raises(WeightsError, match="not installed"):
        store.require("toy")
    left = [path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts]
    assert left == [tar]
    assert not (folder.parent / "evil").exists()


def test_what_is_no_tar(tmp_path: Path) -> None:
    for number, data in enumerate((b"", b"no tar at all" * 100, b"\0" * 512, b"\xff" * 2048)):
        tar = tmp_path / f"{number}.tar"
        tar.write_bytes(data)
        refused(tmp_path, tar, "not an export|holds no models")
        tar.unlink()
    refused_folder = WeightsStore(tmp_path / "weights", hub="", known=KNOWN)
    with pytest.raises(WeightsError, match="cannot be imported"):
        import_models(refused_folder, tmp_path)


def test_a_sparse_member_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten kilobytes of tar that claim three gigabytes: refused before a byte is written."""
    sparse = tarfile.TarInfo("toy/model.bin")
    real = 3_000_000_000
    sparse.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.name": "toy/model.bin",
        "GNU.sparse.size": str(real),
        "GNU.sparse.realsize": str(real),
        "GNU.sparse.map": f"0,0,{real},0",
    }
    tar = tmp_path / "in.tar"
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as opened:
        head = tarfile.TarInfo(HEAD[0])
        head.size = len(HEAD[1])
        opened.addfile(head, io.BytesIO(HEAD[1]))
        opened.addfile(sparse)
    with tarfile.open(tar) as opened:
        member = opened.getmember("toy/model.bin")
        assert member.issparse()
        assert member.size == real
    monkeypatch.setattr("app.models.export.copy_bounded", lambda *_: pytest.fail("bytes were written"))
    refused(tmp_path, tar, "not a plain file")


def test_a_sparse_member_of_the_right_size_is_refused_too(tmp_path: Path) -> None:
    """What GNU tar writes for a file with holes; an export of ours never has one."""
    sparse = tarfile.TarInfo("toy/model.bin")
    sparse.pax_headers = {"GNU.sparse.size": "3000000", "GNU.sparse.map": "0,0,3000000,0"}
    tar = tmp_path / "in.tar"
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as opened:
        head = tarfile.TarInfo(HEAD[0])
        head.size = len(HEAD[1])
        opened.addfile(head, io.BytesIO(HEAD[1]))
        opened.addfile(sparse)
    refused(tmp_path, tar, "not a plain file")


def test_a_truncated_export_is_told(store: WeightsStore, tmp_path: Path) -> None:
    store.pull("toy")
    export_models(store, ["toy"], tmp_path / "set.tar")
    whole = (tmp_path / "set.tar").read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut/set.tar").write_bytes(whole[:2_000_000])
    refused(tmp_path / "cut", tmp_path / "cut/set.tar", "not an export of models, or is damaged")
